"""The loss above the lanes of findings, and where steps stand on the axis that they share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import plotly.graph_objects as go

from trainvitals.wire.answers import Curve
from trainvitals.wire.messages import Finding
from trainvitals_dashboard.figures.lines import LOSS_LOG_FROM, SMOOTHED_FROM_POINTS, SMOOTHING, single

GUTTER_PX: Final = (48, 14)  # left and right of curve and lanes alike: assets/20-findings.css has the same
TICKS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The axis of steps, both ends included."""

    first: int
    last: int

    @classmethod
    def of(cls, findings: Sequence[Finding], curve: Curve, *, last_step: int | None) -> Extent:
        """As far as the run has come, and the findings reach."""
        firsts = [*curve.steps[:1], *(finding.first_step for finding in findings)]
        lasts = [*curve.last_steps[-1:], *(finding.last_step for finding in findings), last_step or 0]
        return cls(first=min(firsts, default=0), last=max(lasts))

    @property
    def span(self) -> tuple[float, float]:
        """What is drawn: a lone step stands in the middle."""
        return (self.first, self.last) if self.last > self.first else (self.first - 0.5, self.first + 0.5)

    def share(self, step: float) -> float:
        """Where a step stands, from 0 to 1."""
        low, high = self.span
        return min(1.0, max(0.0, (step - low) / (high - low)))

    def ticks(self) -> list[int]:
        """Round steps, at most about ``TICKS`` of them."""
        apart = _round_up((self.last - self.first) / TICKS)
        start = math.ceil(self.first / apart) * apart
        return list(range(start, self.last + 1, apart))


def loss_above(curve: Curve, extent: Extent, *, name: str) -> go.Figure:
    """The loss, small, from one end of the axis to the other. It cannot be zoomed, for the lanes below could not
    follow."""
    smoothing = SMOOTHING if len(curve.steps) >= SMOOTHED_FROM_POINTS else 0.0
    figure = single(curve, log=True, log_from=LOSS_LOG_FROM, smoothing=smoothing, name=name, live=False)
    left, right = GUTTER_PX
    axis = {"range": list(extent.span), "fixedrange": True, "tickvals": extent.ticks(), "tickformat": "~s"}
    figure.update_layout(
        margin={"l": left, "r": right, "t": 6, "b": 22},
        xaxis={**axis, "autorange": False, "autorangeoptions": None, "nticks": None, "showticklabels": True},
        yaxis={"fixedrange": True, "nticks": 3},
        dragmode=False,
    )
    return figure


def _round_up(apart: float) -> int:
    """The least of 1, 2 or 5 times a power of ten that is not below it."""
    if apart <= 1:
        return 1
    power = 10 ** math.floor(math.log10(apart))
    return int(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= apart * (1 - 1e-9)))
