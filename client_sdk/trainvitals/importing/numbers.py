"""Cells of tables and logs as numbers and as steps."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Final

from trainvitals.points import MAX_STEP

# In this order: where a tracker's own count of calls stands beside the trainer's count of steps, the trainer's is meant
STEP_NAMES: Final = (
    *("step", "global_step", "trainer/global_step", "train/global_step"),
    *("_step", "Step", "iteration", "epoch"),
)
EPOCH: Final = "epoch"
LARGEST: Final = int(sys.float_info.max)  # of whole numbers that floats come near
BLANK: Final = frozenset({"", "na", "n/a", "none", "null"})  # "NA": what Keras writes for a log that is missing


class NoNumber(ValueError):
    """A cell holds something else."""


def number_of(cell: object) -> float | None:
    """A number, the words NaN, inf and Infinity in any case included; None for a blank cell. True and False are none.
    Raises NoNumber."""
    if cell is None or isinstance(cell, float):
        return cell
    if isinstance(cell, str):
        word = cell.strip()
        if word.lower() in BLANK:
            return None
        if "_" not in word:  # float() reads 2024_01 as 202401
            try:
                return float(word)
            except ValueError:
                pass
    elif isinstance(cell, int) and not isinstance(cell, bool):
        return float(max(-LARGEST, min(cell, LARGEST)))
    raise NoNumber(f"{shown(cell)} is no number")


def step_of(cell: object) -> int | None:
    """A step; None for a blank cell. Raises ValueError, which says what a step is."""
    number = number_of(cell)
    if number is None:
        return None
    if not number.is_integer():
        raise ValueError(f"{shown(cell)} is not whole")
    if not 0 <= number <= MAX_STEP:
        raise ValueError(f"{shown(cell)} is {'negative' if number < 0 else 'beyond 2⁵³'}")
    return int(number)


def step_name(names: Iterable[str]) -> str | None:
    """Which of the names is that of the steps."""
    known = set(names)
    return next((name for name in STEP_NAMES if name in known), None)


def shown(cell: object) -> str:
    """A cell as errors quote it."""
    text = repr(cell)
    return text if len(text) <= 60 else f"{text[:59]}…"
