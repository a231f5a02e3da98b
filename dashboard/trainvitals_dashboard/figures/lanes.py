"""Findings drawn as lanes above a curve, so that they never hide it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import plotly.graph_objects as go

from trainvitals.wire.messages import Finding
from trainvitals_dashboard.theme import TOKENS

PLOT_DOMAIN: Final = [0, 0.86]
LANES_DOMAIN: Final = [0.88, 1]
LANES: Final = ("critical", "warning", "info")  # from above; a lane for each, that none is drawn over by a lesser one
SYMBOLS: Final = {"critical": ("crit", "diamond"), "warning": ("warn", "triangle-up"), "info": ("info", "circle")}


def add_lanes(figure: go.Figure, findings: Sequence[Finding], *, last_step: int) -> None:
    """A bar from a finding's first step to its last (or to now, while it is open), in the lane of its gravity, and a
    stem down to the curve; the gravest above all others."""
    for finding in sorted(findings, key=lambda finding: (-LANES.index(finding.severity), finding.first_step)):
        token, symbol = SYMBOLS[finding.severity]
        colour = TOKENS[token][0]
        height = 1 - (LANES.index(finding.severity) + 0.5) / len(LANES)
        is_open = finding.state != "resolved"
        end = max(last_step, finding.last_step) if is_open else finding.last_step
        figure.add_scatter(
            x=[finding.first_step, end],
            y=[height, height],
            yaxis="y2",
            mode="lines+markers",
            uid=f"{token}-lane-{finding.finding_id}",
            name=finding.rule,
            customdata=[finding.finding_id] * 2,
            meta={"open": is_open},  # an open one grows with the curve while one looks
            line={"color": colour, "width": 3},
            opacity=0.9 if is_open else 0.55,
            marker={"symbol": [symbol, "line-ns"], "size": [11, 0], "color": colour, "opacity": 1},
            hovertemplate=f"<b>{finding.rule}</b> {finding.where}<extra></extra>",
            cliponaxis=False,
        )
        line = {"color": colour, "width": 1, "dash": "dot"}
        x = finding.first_step
        figure.add_shape(type="line", x0=x, x1=x, y0=0, y1=0.96, yref="paper", line=line, opacity=0.5, layer="below")
