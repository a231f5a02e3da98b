"""Learning rates that follow a cosine, however seldom they are recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainvitals_server.diagnosis.window import Floats32, Series, Steps

WELL_DOWN: Final = 0.5  # of the peak: points above it are of the first way down, however few there are
NEARLY: Final = 0.97  # of the highest
AT_PEAK: Final = 1 - 1e-5  # its angle is lost in rounding
NEAR_PEAK: Final = 0.95  # where the peak itself was not recorded, shares of it are known too badly for angles near it
MOST_CYCLES: Final = 200  # half ones
MOST_AFTER_WARM_UP: Final = 20  # where the start is looked for, too
MOST_POINTS: Final = 100
APART: Final = 0.01  # of a half cycle, at the last point: how close the lengths stand that are tried
WITHIN: Final = 0.06  # of the first guess, which a rate above zero at the bottom pushes off
STARTS: Final = np.linspace(-0.1, 0.1, 21)  # of the length, around the first guess of the start

Shares = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosine:
    """From a peak at step ``start`` down to ``lowest`` of it ``length`` steps later, and up again; ``error``: the mean
    difference to what was recorded, as a share of the peak."""

    start: float
    length: float
    lowest: float
    error: float


def cosine_of(rate: Series) -> Cosine | None:
    """The cosine that fits what was recorded since its peak best; None where the first way down is none, or is not
    told by enough points."""
    peak = _first_peak(rate.values)
    steps, share = rate.steps[peak:], rate.values[peak:].astype(np.float64) / float(rate.values[peak])
    way_down = _way_down(share)
    if peak == 0 and len(way_down):
        last = way_down[-1]
        length = np.pi * float(steps[last] - steps[0]) / float(np.arccos(2 * share[last] - 1))
        starts, most = np.array([float(steps[0])]), MOST_CYCLES
    elif len(way_down := way_down[share[way_down] < NEAR_PEAK]) >= 3:
        slope, offset = np.polyfit(steps[way_down].astype(np.float64), np.arccos(2 * share[way_down] - 1), 1)
        length = np.pi / float(slope)
        starts, most = -offset / slope + length * STARTS, MOST_AFTER_WARM_UP
    else:
        return None
    if steps[-1] - starts[0] > most * length:
        return None
    picked = np.linspace(0, len(steps) - 1, min(len(steps), MOST_POINTS)).astype(np.int64)
    fits = [_fitted(steps[picked], share[picked], float(start), length) for start in starts]
    return min(fits, key=lambda fit: fit.error)


def _first_peak(values: Floats32) -> int:
    """Of several, which are not all recorded at their highest."""
    high = int(np.flatnonzero(values >= NEARLY * values.max())[0])
    falls = np.flatnonzero(np.diff(values[high:]) < 0)
    return high + int(falls[0]) if len(falls) else high


def _way_down(share: Shares) -> NDArray[np.intp]:
    """Of the first way down the points in its upper half: however seldom rates are recorded, none is beyond a turn."""
    rises = np.flatnonzero((np.diff(share) >= 0) & (share[1:] < AT_PEAK))
    first = share[: int(rises[0]) + 1] if len(rises) else share
    return np.flatnonzero((first >= WELL_DOWN) & (first < AT_PEAK))


def _fitted(steps: Steps, share: Shares, start: float, guess: float) -> Cosine:
    cycles = max(1.0, float(steps[-1] - start) / guess)
    lengths = guess * np.arange(1 - WITHIN, 1 + WITHIN, APART / cycles)
    fallen = (1 - np.cos(np.pi * (steps - start) / lengths[:, None])) / 2  # [lengths, points], 1 at the bottom
    depths = np.clip((fallen * (1 - share)).sum(axis=1) / np.maximum((fallen**2).sum(axis=1), 1e-12), 0, 1)
    errors = np.abs(1 - depths[:, None] * fallen - share).mean(axis=1)
    best = int(np.argmin(errors))
    return Cosine(start=start, length=float(lengths[best]), lowest=float(1 - depths[best]), error=float(errors[best]))
