"""Stats that grow from the first step on as sums do, to which each step adds as much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainvitals_server.diagnosis.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Of some layers, up to ``last_step``: ``times`` the first value (float64 [layers]), and how far ``apart`` from a
    line through zero, as a share of its mean height."""

    times: NDArray[np.float64]
    apart: NDArray[np.float64]
    last_step: int


def growth(window: Window, stat: str, columns: NDArray[np.intp], *, samples: int) -> Growth | None:
    """Of the layers in ``columns``, over the run's first ``samples`` snapshots; layers with zeros, or values that are
    not finite, are left out. None where the first steps are not all known, or fewer than two layers are left."""
    early = window.stats[stat][:samples, columns].astype(np.float64)
    early = early[:, np.isfinite(early).all(axis=0) & (early > 0).all(axis=0)]
    count = (window.steps[:samples] - window.steps[0] + 1).astype(np.float64)[:, None]
    if early.shape[1] < 2 or count[-1, 0] - count[0, 0] != len(early) - 1:
        return None
    slope = (early * count).sum(axis=0) / np.square(count).sum()
    return Growth(
        times=early[-1] / early[0],
        apart=np.sqrt(np.square(early - slope * count).mean(axis=0)) / (slope * count.mean()),
        last_step=int(window.steps[len(early) - 1]),
    )
