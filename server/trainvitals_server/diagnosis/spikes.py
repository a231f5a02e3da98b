"""Finds sudden jumps in a series of points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainvitals_server.diagnosis.median import median, medians
from trainvitals_server.diagnosis.reading import MAD_TO_SIGMA
from trainvitals_server.diagnosis.window import Series

LONGEST = 10  # points in a row; more is a new level
TAIL = 0.1  # of the peak's height above what was before: under it most is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """Points above ``line``, from the first to the last step; ``before`` and ``noise`` are the median and robust
    deviation of the points before it."""

    first_step: int
    last_step: int
    length: int
    before: float
    peak: float
    line: float
    noise: float
    recovered: bool


def find_spike(
    loss: Series | None, *, past: int, sigmas: float, outliers: float, share_of_start: float, recent: int
) -> Spike | None:
    """The highest spike among the newest points, against the ``past`` points before each; more than ten points in a row
    are a new level and no spike, unless they have come back and most of the height was gone within ten: after a jump of
    many times what was before, the line that was drawn there is reached late."""
    finite = np.isfinite(loss.values) if loss is not None else np.empty(0, bool)
    if loss is None or finite.sum() <= past:
        return None
    steps, values = loss.steps[finite], loss.values[finite].astype(np.float64)
    begin = max(past, len(values) - recent)
    least = share_of_start * abs(median(values[: max(3, len(values) // 50)]))
    pasts = np.lib.stride_tricks.sliding_window_view(values, past)[begin - past : len(values) - past]
    highest = pasts.max(axis=1)
    if outliers >= 1 and not (values[begin:] > np.maximum(highest, pasts.min(axis=1) + least)).any():
        return None  # the line lies above both
    middle = medians(pasts, axis=1)
    spread = MAD_TO_SIGMA * medians(np.abs(pasts - middle[:, None]), axis=1)
    # the losses of small batches have heavy tails: what has been seen before is no spike
    seen = outliers * (highest - middle)
    line = middle + np.maximum(np.maximum(sigmas * spread, seen), least)
    above = values[begin:] > line
    if not above.any():
        return None
    top = int(np.argmax(np.where(above, values[begin:] - middle, -np.inf)))
    # from its first point on against one line: the line behind a spike knows the spike, and lies higher
    first = int(np.flatnonzero(~above[:top]).max(initial=-1)) + 1
    above[first:] = values[begin + first :] > line[first]
    last = top + int(np.flatnonzero(~above[top:]).min(initial=len(above) - top))
    before = float(middle[first])
    heights, recovered = values[begin + first : begin + last] - before, not above[-1]
    high = np.count_nonzero(heights > TAIL * (values[begin + top] - before)) if recovered else len(heights)
    if high > LONGEST:
        return None
    return Spike(
        first_step=int(steps[begin + first]),
        last_step=int(steps[begin + last - 1]),
        length=last - first,
        before=before,
        peak=float(values[begin + top]),
        line=float(line[top]),
        noise=float(spread[first]),
        recovered=bool(recovered),
    )
