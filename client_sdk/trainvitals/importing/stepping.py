"""Tells steps that count on through a run from steps that begin anew in each epoch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from trainvitals.importing.numbers import EPOCH, STEP_NAMES, NoNumber, number_of, step_of
from trainvitals.importing.table import Row

ENOUGH: Final = 2  # signs: one fall back alone is a run that was resumed


@dataclass(slots=True)
class Course:
    """How steps went from row to row. A run that is resumed falls back, too, and repeats what it lost: its epochs do
    not rise there, nor does it come back to its first step time and again. So each fall gives a sign for an epoch that
    rises with it, and one for a step that is the first again, which counts for nothing where the epoch does not rise.
    A step that stands still while a whole epoch goes by is a sign, too."""

    signs: int = 0
    _step: int | None = None
    _lowest: int = 0
    _epoch: float | None = None

    @property
    def begins_anew(self) -> bool:
        """Whether the steps count within something smaller than the run."""
        return self.signs >= ENOUGH

    def go(self, step: int, epoch: float | None) -> None:
        """Take the next row's step, and the epoch if it is known by then."""
        before, self._step = self._step, step
        risen = None if epoch is None or self._epoch is None else epoch - self._epoch
        self._epoch = epoch
        if before is None:
            self._lowest = step
        elif step == before:
            self.signs += risen is not None and risen >= 1
        elif step < before and (risen is None or risen > 0):
            self.signs += (risen is not None) + (step <= self._lowest)
        self._lowest = min(self._lowest, step)


def epoch_name(names: Iterable[str]) -> str | None:
    """Which of the names is that of the epochs."""
    return next((name for name in names if name.lower().rpartition("/")[2] == EPOCH), None)


def epoch_of(cell: object, *, before: float | None) -> float | None:
    """The epoch that a cell tells, else the one before."""
    try:
        epoch = number_of(cell)
    except NoNumber:
        return before
    return before if epoch is None else epoch


def next_name(rows: Iterable[Row], names: Sequence[str], *, instead_of: str) -> str | None:
    """The next of the names of steps that has a step in each row that had one so far, and never falls back."""
    after = STEP_NAMES[STEP_NAMES.index(instead_of) + 1 :]
    reached = dict.fromkeys((name for name in after if name in names), 0)
    for row in rows:
        if row.cells.get(instead_of) is None:
            continue
        for name, before in list(reached.items()):
            step = _step(row.cells.get(name))
            if step is None or step < before:
                del reached[name]
            else:
                reached[name] = step
        if not reached:
            return None
    return next(iter(reached), None)


def _step(cell: object) -> int | None:
    try:
        return step_of(cell)
    except ValueError:
        return None
