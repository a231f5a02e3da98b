"""How noisy the gradient is: the gradient noise scale, free where gradients are accumulated.

Source: McCandlish et al., "An Empirical Model of Large-Batch Training", arXiv:1812.06162, appendix A.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

MEMORY: Final = 0.9  # of the averages, from one snapshot to the next: single estimates are far off


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Of one step: the trace of the covariance of an example's gradient, and the square of the true gradient's norm,
    in one unit, whatever that is. Either may be negative."""

    trace: float
    signal: float


def estimate(*, first: float, whole: float, passes: int, examples: int) -> Estimate | None:
    """From the square norms of the gradient after the first of ``passes`` backward passes of ``examples`` each, and
    after all of them. Whether the loss was divided by the number of passes makes no difference."""
    if passes < 2 or not examples or not first or not math.isfinite(first) or not math.isfinite(whole):
        return None
    small = first * passes**2  # as if the one pass had been all of them
    signal = (passes * whole - small) / (passes - 1)
    trace = examples * (small - whole) / (1 - 1 / passes)
    return Estimate(trace=trace, signal=signal)


class NoiseScale:
    """The ratio of both averages, in examples: batches far smaller waste steps, far larger ones waste examples."""

    def __init__(self) -> None:
        self._trace = 0.0
        self._signal = 0.0

    def add(self, one: Estimate) -> float | None:
        """The scale with one more step's estimate; None while the averages say nothing."""
        self._trace = MEMORY * self._trace + (1 - MEMORY) * one.trace
        self._signal = MEMORY * self._signal + (1 - MEMORY) * one.signal
        return self._trace / self._signal if self._trace > 0 and self._signal > 0 else None
