"""The axis of steps, on which the columns of one plot stand below those of another."""

from __future__ import annotations

from typing import Any, Final

TICKS: Final = 9
FEW_TICKS: Final = 6  # of a small plot


def step_axis(first: int | None, last: int | None, *, ticks: int = TICKS) -> dict[str, Any]:  # Any: plotly's own
    """From the first step to the last, and no further: marks have width, and would push a curve away from what stands
    below. A lone step stands in the middle. None: nothing has a step yet. 40-live.js moves the end while one looks."""
    if first is None or last is None:
        return {"tickformat": "~s", "nticks": ticks, "autorangeoptions": {"clipmin": 0}}
    low, high = (first, last) if last > first else (first - 0.5, first + 0.5)
    span = {"clipmin": low, "clipmax": high, "include": [low, high]}
    # more ticks than steps would be fractions of a step
    return {"tickformat": "~s", "nticks": int(min(ticks, high - low + 1)), "autorangeoptions": span}
