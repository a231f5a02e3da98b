"""The series that made a rule speak, with the steps that it speaks of and the line that was crossed."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from trainvitals.wire.answers import Curve
from trainvitals.wire.messages import Evidence
from trainvitals_dashboard.figures.lines import single
from trainvitals_dashboard.theme import TOKENS


def evidence_figure(curve: Curve, evidence: Evidence, *, since: int, log: bool, name: str) -> go.Figure:
    """A dotted line at the step ``since`` which it is so; a band over the steps that were looked at, as far as the
    curve goes; the threshold as a dashed line, where it is on the curve's scale."""
    figure = single(curve, colour="crit", log=log, name=name, live=False, mark=since)
    if not curve.steps:
        return figure
    colour = TOKENS["crit"][0]
    first, last = max(evidence.first_step, curve.steps[0]), min(evidence.last_step, curve.last_steps[-1])
    if last > first:
        figure.add_vrect(x0=first, x1=last, fillcolor=colour, opacity=0.08, line_width=0, layer="below")
    line = threshold_of(evidence)
    if line is not None and not (figure.layout.yaxis.type == "log" and line <= 0):
        figure.add_hline(y=line, line_width=1, line_dash="dash", line_color=colour)
    return figure


def threshold_of(evidence: Evidence) -> float | None:
    """The line that was crossed, if it can be drawn beside the series."""
    line = evidence.threshold
    return line if line is not None and evidence.is_drawn and math.isfinite(line) else None
