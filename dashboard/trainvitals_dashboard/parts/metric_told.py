"""What is told of one metric, as 55-metrics.js puts it in the metric's place: its numbers and its chart."""

from __future__ import annotations

import math
from typing import Any, Final, TypedDict

import numpy as np
import plotly.graph_objects as go

from trainvitals.wire.answers import Curve
from trainvitals_dashboard import words
from trainvitals_dashboard.figures.lines import values
from trainvitals_dashboard.figures.metric import STEP, TIME, Look, has_logarithms

NOT_FINITE: Final = "not finite"
LINEAR: Final = "linear: not all above 0"


class Numbers(TypedDict):
    """The value logged last, the lowest and the highest, as words."""

    last: str
    min: str
    max: str


class Told(TypedDict):
    """``note``: why it is not shown as it was asked for; ``label``: what screen readers are told of the chart."""

    numbers: Numbers
    note: str
    label: str
    figure: dict[str, Any]  # Any: plotly's own


def told(curve: Curve, figure: go.Figure, *, newest: float | None, look: Look) -> Told:
    """``newest``: the value logged last, where it is known better than by the curve."""
    is_linear = look.log and bool(curve.steps) and not has_logarithms(curve)
    by = {STEP: "steps", TIME: "time"}.get(look.by, words.metric(look.by))
    label = f"{words.metric(curve.metric or '')} over {by}"
    return Told(
        numbers=numbers(curve, newest=newest), note=LINEAR if is_linear else "", label=label, figure=figure.to_dict()
    )


def numbers(curve: Curve, *, newest: float | None = None) -> Numbers:
    """The lowest and the highest are those of the envelope."""
    mean, low, high = values(curve.mean), values(curve.low), values(curve.high)
    last = newest if newest is not None else float(mean[-1]) if len(mean) else None
    return Numbers(
        last=NOT_FINITE if last is not None and not math.isfinite(last) else words.number(last),
        min=words.number(float(np.nanmin(low)) if np.isfinite(low).any() else None),
        max=words.number(float(np.nanmax(high)) if np.isfinite(high).any() else None),
    )
