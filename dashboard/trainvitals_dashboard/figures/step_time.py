"""Where a step's time goes: its parts one upon another, with the whole step as a line above them; and the SDK's own
share of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go

from trainvitals.wire.answers import Curve
from trainvitals_dashboard.figures.emptiness import say_if_empty
from trainvitals_dashboard.figures.lines import LIVE_POINTS, single, values
from trainvitals_dashboard.figures.steps import TICKS, step_axis
from trainvitals_dashboard.theme import TEMPLATE, TOKENS

WHOLE: Final = "seconds/step"
PARTS: Final = {  # metric: (word, colour)
    "seconds/data": ("waiting for data", "s2"),
    "seconds/forward": ("forward pass", "s1"),
    "seconds/backward": ("backward pass", "s3"),
    "seconds/optimizer": ("optimizer", "s4"),
}
BUDGET: Final = 0.02  # of the training's time, unless a script says otherwise


def step_time(curves: Mapping[str, Curve]) -> go.Figure:
    """Areas of the parts in seconds a step, from the bottom up in the order of PARTS, and the whole step's line. What
    is between them and the line is spent elsewhere."""
    figure = go.Figure()
    drawn = [name for name in (*PARTS, WHOLE) if name in curves and curves[name].steps]
    colours = [PARTS[name][1] for name in drawn if name != WHOLE]
    for name, above in zip(drawn, [*colours[1:], "none", "none"], strict=False):
        figure.add_trace(_line(curves[name]) if name == WHOLE else _area(curves[name], *PARTS[name], above=above))
    ends = [step for name in drawn for step in (curves[name].steps[0], curves[name].last_steps[-1])]
    followed = [{"trace": place, "metric": name} for place, name in enumerate(drawn)]
    figure.update_layout(
        template=TEMPLATE,
        uirevision="step time",
        meta={"live": {"lines": followed, "max": LIVE_POINTS, "ticks": TICKS}},
        margin={"l": 64, "r": 12, "t": 8, "b": 24},
        xaxis=step_axis(min(ends, default=None), max(ends, default=None)),
        yaxis={"ticksuffix": "s", "exponentformat": "SI", "minexponent": 0, "rangemode": "tozero", "nticks": 6},
    )
    say_if_empty(figure, is_empty=not drawn)
    return figure


def _area(curve: Curve, word: str, colour: str, *, above: str) -> go.Scatter:
    # plotly puts the area between two lines into the lower one's group: 18-system.css has to know both colours
    return go.Scatter(
        x=np.asarray(curve.steps),
        y=values(curve.mean),
        name=word,
        uid=f"{colour}-part-{above}",
        stackgroup="parts",
        mode="lines",
        line={"width": 1, "color": TOKENS[colour][0]},
        hovertemplate=f"{word} <b>%{{y:.3s}}s</b><extra></extra>",
    )


def _line(curve: Curve) -> go.Scatter:
    return go.Scatter(
        x=np.asarray(curve.steps),
        y=values(curve.mean),
        name="whole step",
        uid="fg-2-whole",
        mode="lines" if len(curve.steps) > 1 else "lines+markers",
        line={"width": 1.6, "color": TOKENS["fg-2"][0]},
        hovertemplate="whole step <b>%{y:.3s}s</b><extra></extra>",
    )


def overhead(curve: Curve) -> go.Figure:
    """What trainvitals itself costs, as a share of the training's time, with the budget as a dotted line."""
    figure = single(curve, colour="s1", name="overhead")
    highest = float(np.nanmax(values(curve.high))) if np.isfinite(values(curve.high)).any() else 0.0
    figure.add_hline(y=BUDGET, line_width=1, line_dash="dot", line_color=TOKENS["warn"][0])
    axis: dict[str, Any] = {"tickformat": ".1~%", "exponentformat": "none", "rangemode": "tozero"}  # Any: plotly's own
    figure.update_yaxes(**axis, autorangeoptions={"include": [max(highest, BUDGET * 1.25)]})
    figure.update_traces(hovertemplate="overhead <b>%{y:.2%}</b><extra></extra>", selector={"uid": "s1-raw"})
    return figure
