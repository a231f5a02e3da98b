"""Where a learning rate fell, and what the loss did until then."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import MAD_TO_SIGMA
from trainvitals_server.diagnosis.window import Series, Steps

FEWEST: Final = 6  # points of a third
LEAST_SHARE: Final = 1e-6  # of a rate that is zero


def fell_under(line: float, steps: Steps, share: NDArray[np.float64]) -> int:
    """The step at which the rate, recorded now and then, and under ``line`` now, went under it; it falls by shares."""
    last = int(np.flatnonzero(share >= line)[-1])
    before, after = np.log(np.maximum(share[last : last + 2], LEAST_SHARE))
    way = (before - np.log(line)) / (before - after) if before > after else 1.0  # the line may be under the least share
    return int(steps[last] + min(way, 1.0) * (steps[last + 1] - steps[last]))


def was_falling_before(loss: Series, step: int, least: float) -> bool | None:
    """Whether the loss fell over the two thirds of the run before a step, by ``least`` of its level and its noise; None
    where these are too few points to tell."""
    half = (loss.steps <= step) & (loss.steps >= step // 3) & np.isfinite(loss.values)
    values = loss.values[half].astype(np.float64)
    third = len(values) // 3
    if third < FEWEST:
        return None
    first, last = median(values[:third]), median(values[-third:])
    noise = MAD_TO_SIGMA * median(np.abs(np.diff(values))) / np.sqrt(third)
    return bool(first - last > max(least * abs(first), 2 * noise))
