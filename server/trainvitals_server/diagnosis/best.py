"""Where a loss was best, and whether it stands above that now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import MAD_TO_SIGMA, LossTrend
from trainvitals_server.diagnosis.window import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """``lowest``: the lowest median of short parts, of which the last step is ``turned``; ``stands``: the median of the
    newest points; ``line``: what these have to lie above to be worse; ``is_above``: whether they do, in their lower
    quartile too."""

    lowest: float
    turned: int
    stands: float
    line: float
    is_above: bool


def best_of(loss: Series, trend: LossTrend, *, newest: int, share_of_start: float, noises: float) -> Best | None:
    """None before there are twice the ``newest`` points. Worse is by ``share_of_start`` of where the loss began, and by
    ``noises`` times its noise at its best."""
    finite = np.isfinite(loss.values)
    steps, values = loss.steps[finite], loss.values[finite].astype(np.float64)
    if len(values) < 2 * newest:
        return None
    parts = np.array_split(np.arange(len(values)), max(4, len(values) // (newest // 2)))
    middles = [median(values[part]) for part in parts]
    best, lowest = parts[int(np.argmin(middles))], min(middles)
    noise = MAD_TO_SIGMA * median(np.abs(np.diff(values[best]))) if len(best) > 1 else trend.noise
    line = lowest + max(share_of_start * abs(trend.start), noises * noise)
    return Best(
        lowest=lowest,
        turned=int(steps[best[-1]]),
        stands=median(values[-newest:]),
        line=line,
        is_above=float(np.quantile(values[-newest:], 0.25)) > line,
    )
