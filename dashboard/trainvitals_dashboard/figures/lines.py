"""Curves: thinned series with their envelope, gaps and marks where values were not finite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from trainvitals.wire.answers import Curve
from trainvitals.wire.floats import Floats
from trainvitals.wire.messages import Finding
from trainvitals_dashboard.figures.lanes import LANES_DOMAIN, PLOT_DOMAIN, add_lanes
from trainvitals_dashboard.theme import SERIES, TEMPLATE, TOKENS

LIVE_POINTS: Final = 4000  # a live trace keeps this many points before the page asks again
SMOOTHING: Final = 1 / 200  # of the shown span
SMOOTHED_FROM_POINTS: Final = 40
DECADES_FROM: Final = 20
BLOWN_UP_FROM: Final = 1000  # times the median: on a linear axis nothing else would be seen
LABELLED_DECADES: Final = 5
MAX_MARKS: Final = 20

Numbers = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCurve:
    """A curve and what it is called in an overlay."""

    name: str
    curve: Curve


def values(floats: Floats) -> Numbers:
    """float32 [n]."""
    return np.frombuffer(floats.data, "<f4")


def loss(
    train: Curve, *, validation: Curve | None = None, findings: Sequence[Finding] = (), live: bool = True
) -> go.Figure:
    """The loss with its envelope, smoothed over a small part of the span, validation beside it, findings above it."""
    figure = go.Figure()
    axis = _loss_axis([train])
    followed = _add_curve(figure, train, colour="s1", name="loss", smoothed=_is_smoothed(train, axis))
    if validation is not None:
        followed += _add_validation(figure, validation)
    figure.update_layout(
        template=TEMPLATE,
        uirevision="loss",
        meta={"live": {"lines": followed, "max": LIVE_POINTS}} if live else {},
        xaxis={
            "tickformat": "~s",
            "nticks": 9,
            "autorangeoptions": {"clipmin": _first_step(train)},
        },  # marks have width
        yaxis={**axis, "domain": PLOT_DOMAIN if findings else [0, 1]},
        yaxis2={"domain": LANES_DOMAIN, "range": [0, 1], "fixedrange": True, "visible": False, "anchor": "x"},
    )
    add_lanes(figure, findings, last_step=_last_step(train))
    return figure


def single(
    curve: Curve, *, colour: str = "s1", log: bool = False, name: str, live: bool = True, mark: int | None = None
) -> go.Figure:
    """One series in a small plot; ``mark`` draws a dotted line at that step."""
    figure = go.Figure()
    followed = _add_curve(figure, curve, colour=colour, name=name, smoothed=False)
    figure.update_layout(
        template=TEMPLATE,
        uirevision=name,
        meta={"live": {"lines": followed, "max": LIVE_POINTS}} if live else {},
        margin={"l": 52, "r": 10, "t": 6, "b": 24},
        xaxis={"tickformat": "~s", "nticks": 6},
        yaxis=_value_axis(curve, log=log),
    )
    if mark is not None:
        figure.add_vline(x=mark, line_width=1, line_dash="dot", line_color=TOKENS["crit"][0])
    return figure


def overlay(curves: Sequence[NamedCurve], *, log: bool = False) -> go.Figure:
    """The same metric of several runs, one colour each, in the order given."""
    figure = go.Figure()
    axis = _log_axis(_finite(named.curve for named in curves)) if log else _loss_axis([n.curve for n in curves])
    for index, named in enumerate(curves):
        colour = SERIES[index % len(SERIES)]
        is_smoothed = _is_smoothed(named.curve, axis)
        _add_curve(figure, named.curve, colour=colour, name=f"{named.name}", smoothed=is_smoothed, key=str(index))
    figure.update_layout(
        template=TEMPLATE,
        uirevision="overlay",
        xaxis={"tickformat": "~s", "nticks": 9},
        yaxis=axis,
    )
    return figure


def smooth(steps: Sequence[int], series: Numbers, *, span: float) -> Numbers:
    """Exponential average over ``span`` steps; what is not finite leaves a gap and no trace. float32 [n]."""
    average = np.full(len(series), np.nan, np.float32)
    last_step, last = 0, float("nan")
    for index, (step, value) in enumerate(zip(steps, series.tolist(), strict=True)):
        if not np.isfinite(value):
            continue
        weight = 1.0 - float(np.exp(-(step - last_step) / span)) if np.isfinite(last) else 1.0
        last = value if weight == 1.0 else last + weight * (value - last)
        last_step = step
        average[index] = last
    return average


Axis = dict[str, Any]  # Any: plotly's own options


def _finite(curves: Iterable[Curve]) -> Numbers:
    parts = [values(curve.mean) for curve in curves]
    shown = np.concatenate(parts) if parts else np.empty(0, np.float32)
    return shown[np.isfinite(shown)]


def _value_axis(curve: Curve, *, log: bool) -> Axis:
    """Logarithmic only where the values span decades: on less, a log axis labels stray digits."""
    shown = _finite([curve])
    positive = shown[shown > 0]
    if log and len(positive) and positive.max() > DECADES_FROM * positive.min():
        return _log_axis(shown)
    axis: Axis = {"nticks": 5, "tickformat": "~g"}
    largest = float(np.abs(shown).max(initial=0.0))
    if 0 < largest < 1e-2 or largest >= 1e5:
        axis["tickformat"] = ".2~e"
    if len(shown) and shown.min() == shown.max():
        # around a lone value plotly shows one more and one less, whatever its size
        axis |= {"rangemode": "tozero", "nticks": 3}
    return axis


def _loss_axis(curves: Sequence[Curve]) -> Axis:
    """Linear, as a loss is read, unless it blew up."""
    shown = _finite(curves)
    if len(shown) and shown.min() > 0 and shown.max() > BLOWN_UP_FROM * np.median(shown):
        return _log_axis(shown)
    return {"nticks": 6, "tickformat": "~g" if np.abs(shown).max(initial=0.0) < 1e5 else ".2~e"}


def _is_smoothed(curve: Curve, axis: Axis) -> bool:
    """An average of values that lie decades apart is none of them."""
    return len(curve.steps) >= SMOOTHED_FROM_POINTS and axis.get("type") != "log"


def _log_axis(shown: Numbers) -> Axis:
    positive = shown[shown > 0].astype(np.float64)
    decades = float(np.log10(positive.max() / positive.min())) if len(positive) else 1.0
    return {
        "type": "log",
        "dtick": max(1, int(np.ceil(decades / LABELLED_DECADES))),
        "exponentformat": "power",
        "tickformat": "",
    }


def _add_curve(
    figure: go.Figure, curve: Curve, *, colour: str, name: str, smoothed: bool, key: str = ""
) -> list[dict[str, Any]]:  # Any: read by live.js
    steps, mean = np.asarray(curve.steps), values(curve.mean)
    start = len(figure.data)
    hidden = {"mode": "lines", "hoverinfo": "skip", "line": {"width": 0, "color": TOKENS[colour][0]}}
    figure.add_scatter(x=steps, y=values(curve.low), uid=f"{colour}-low{key}", name=f"{name} lowest", **hidden)
    figure.add_scatter(
        x=steps,
        y=values(curve.high),
        uid=f"{colour}-high{key}",
        name=f"{name} highest",
        fill="tonexty",
        fillcolor="rgba(0,114,178,.18)",
        **hidden,
    )
    lines = [_line(steps, mean, colour, name, uid=f"{colour}-raw{key}", faint=smoothed)]
    followed: list[dict[str, Any]] = [{"trace": start + offset, "metric": curve.metric} for offset in range(3)]
    if smoothed:
        span = max(1.0, (curve.steps[-1] - curve.steps[0]) * SMOOTHING)
        average = smooth(curve.steps, mean, span=span)
        lines.append(_line(steps, average, colour, name, uid=f"{colour}-smooth{key}", faint=False))
        followed.append({"trace": start + 3, "metric": curve.metric, "span": span})
    figure.add_traces(lines)
    figure.add_trace(_marks(curve, mean, key, colour="crit" if not key else colour))
    followed.append({"trace": len(figure.data) - 1, "metric": curve.metric, "nonfinite": True})
    return followed


def _line(steps: Any, series: Numbers, colour: str, name: str, *, uid: str, faint: bool) -> go.Scatter:
    # the uid becomes a CSS class ("trace" + uid), which 20-plot.css colours for each scheme
    return go.Scatter(
        x=steps,
        y=series,
        name=name,
        uid=uid,
        mode="lines" if len(series) > 1 else "lines+markers",
        opacity=0.38 if faint else 1.0,
        line={"color": TOKENS[colour][0], "width": 1.0 if faint else 2.0},
        hoverinfo="skip" if faint else None,
        hovertemplate=None if faint else f"{name} <b>%{{y:.4g}}</b><extra></extra>",
    )


def _marks(curve: Curve, mean: Numbers, key: str, *, colour: str) -> go.Scatter:
    """A cross where values were not finite, at the height of the last one that was; of many an even choice."""
    where = np.flatnonzero(np.asarray(curve.nonfinite))
    where = where[np.unique(np.linspace(0, len(where) - 1, MAX_MARKS).astype(int))] if len(where) > MAX_MARKS else where
    finite = np.flatnonzero(np.isfinite(mean))
    before = np.searchsorted(finite, where, side="right") - 1
    heights = mean[finite[np.clip(before, 0, None)]] if len(finite) else np.zeros(len(where), np.float32)
    return go.Scatter(
        x=np.asarray(curve.steps)[where] if len(where) else [],
        y=heights,
        name="not finite",
        uid=f"{colour}-nonfinite{key}",
        mode="markers",
        marker={"symbol": "x", "size": 8, "color": TOKENS[colour][0]},
        hovertemplate="<b>not finite</b> at step %{x:,}<extra></extra>",
    )


def _add_validation(figure: go.Figure, curve: Curve) -> list[dict[str, Any]]:
    figure.add_scatter(
        x=np.asarray(curve.steps),
        y=values(curve.mean),
        name="validation",
        uid="s2-validation",
        mode="lines+markers" if len(curve.steps) < SMOOTHED_FROM_POINTS else "lines",
        line={"color": TOKENS["s2"][0], "width": 1.8, "dash": "dot"},
        marker={"size": 5, "color": TOKENS["s2"][0]},
        hovertemplate="validation <b>%{y:.4g}</b><extra></extra>",
    )
    return [{"trace": len(figure.data) - 1, "metric": curve.metric}]


def _first_step(curve: Curve) -> int:
    return curve.steps[0] if curve.steps else 0


def _last_step(curve: Curve) -> int:
    return curve.last_steps[-1] if curve.last_steps else 0
