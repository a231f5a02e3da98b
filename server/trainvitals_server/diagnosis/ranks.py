"""What rules read of several ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from trainvitals_server.diagnosis.window import Floats32, RankSeries, Steps, Window

MOST_NAMED: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """Points that all of some ranks recorded, finite: ``values`` float32 [ranks, n] at ``steps`` int64 [n]."""

    ranks: tuple[int, ...]
    steps: Steps
    values: Floats32


def common(told: RankSeries | None) -> Common | None:
    """The steps of which every rank tells that tells of any worth the name (half as many as rank 0); None where those
    are fewer than two ranks."""
    if told is None:
        return None
    good = told.present & np.isfinite(told.values)
    counts = good.sum(axis=1)
    rows = np.flatnonzero(counts * 2 >= max(1, counts[0]))
    if len(rows) < 2:
        return None
    columns = np.flatnonzero(good[rows].all(axis=0))
    return Common(
        ranks=tuple(told.ranks[row] for row in rows),
        steps=told.steps[columns],
        values=told.values[np.ix_(rows, columns)],
    )


def loss_in_words(window: Window, *, step: int | None) -> str:
    """ "The loss", or that of the ranks in which it is not finite at a step, where it is not so in all."""
    told = window.loss_of_ranks
    if told is None or step is None:
        return "The loss"
    column = int(np.searchsorted(told.steps, step))
    ill = np.flatnonzero(told.present[:, column] & ~np.isfinite(told.values[:, column]))
    if len(ill) == told.present[:, column].sum():
        return "The loss"
    names = ", ".join(str(told.ranks[row]) for row in ill[:MOST_NAMED]) + " …" * (len(ill) > MOST_NAMED)
    return f"The loss of rank{'s' * (len(ill) > 1)} {names}"
