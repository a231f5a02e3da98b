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
from trainvitals_dashboard import words
from trainvitals_dashboard.figures.emptiness import say_if_empty
from trainvitals_dashboard.figures.lanes import LANES_DOMAIN, PLOT_DOMAIN, add_lanes
from trainvitals_dashboard.figures.plain import plain
from trainvitals_dashboard.figures.steps import FEW_TICKS, TICKS, step_axis
from trainvitals_dashboard.theme import SERIES, TEMPLATE, TOKENS

LIVE_POINTS: Final = 4000  # a live trace keeps this many points before the page asks again
SMOOTHING: Final = 1 / 200  # of the shown span
SMOOTHED_FROM_POINTS: Final = 40
LOG_FROM: Final = 100  # highest over lowest: on less, a log axis may have one label, or none
LABELS_BY_STEP_TO: Final = 8  # highest over lowest on a logarithmic axis: a step apart, as on a linear one
LOSS_LOG_FROM: Final = 1000  # a loss is read on a linear axis, unless nothing else would be seen there
LONE_WITHIN: Final = 1e-5  # of the value: what differs by less is one value, and rounding
LONE_PX: Final = 8  # a point without another has no line
LONE_TEXT_PX: Final = 12  # its value, above it
LARGE: Final = 1e6
TOO_LARGE: Final = 1e15  # for the prefixes that people know
LABELLED_DECADES: Final = 5
LOG_TICK_PX: Final = 9  # plotly draws powers a quarter larger than other labels
MAX_MARKS: Final = 20
OTHERS: Final = "fg-2"  # the colour of ranks that there is nothing to say of

Numbers = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCurve:
    """A curve and what it is called among others."""

    name: str
    curve: Curve


def values(floats: Floats) -> Numbers:
    """float32 [n]."""
    return np.frombuffer(floats.data, "<f4")


def loss(
    train: Curve,
    *,
    validation: Curve | None = None,
    findings: Sequence[Finding] = (),
    live: bool = True,
    last_step: int | None = None,
) -> go.Figure:
    """The loss with its envelope, smoothed over a small part of the span, validation beside it, findings above it.
    ``last_step``: the run's own, as that of the heatmap below; None is that of what is drawn."""
    figure = go.Figure()
    shown = [train, validation] if validation is not None else [train]
    axis = _value_axis(shown, log_from=LOSS_LOG_FROM)
    followed = _add_curve(figure, train, axis, colour="s1", name="loss", smoothing=_smoothing(train))
    if validation is not None:
        followed += _add_validation(figure, validation)
    figure.update_layout(
        template=TEMPLATE,
        uirevision="loss",
        meta=_live(followed) if live else {},
        xaxis=steps_of(shown, last_step or 0, *(finding.last_step for finding in findings)),
        yaxis={**axis.options, "domain": PLOT_DOMAIN if findings else [0, 1]},
        yaxis2={"domain": LANES_DOMAIN, "range": [0, 1], "fixedrange": True, "visible": False, "anchor": "x"},
    )
    add_lanes(figure, findings, last_step=_last_step(train))
    say_if_empty(figure, is_empty=not any(curve.steps for curve in shown), has_steps=bool(findings))
    return figure


def single(
    curve: Curve,
    *,
    colour: str = "s1",
    log: bool = False,
    log_from: float = LOG_FROM,
    smoothing: float = 0.0,
    name: str,
    live: bool = True,
    mark: int | None = None,
) -> go.Figure:
    """One series in a small plot; ``mark`` draws a dotted line at that step. ``smoothing``: the part of the span that
    it is averaged over, with what was logged behind it; 0 is not at all."""
    figure = go.Figure()
    axis = _value_axis([curve], log_from=log_from if log else None, gaps=log)
    followed = _add_curve(figure, curve, axis, colour=colour, name=name, smoothing=smoothing)
    figure.update_layout(
        template=TEMPLATE,
        uirevision=name,
        meta=_live(followed, ticks=FEW_TICKS) if live else {},
        margin={"l": 52, "r": 10, "t": 6, "b": 24},
        xaxis=steps_of([curve], ticks=FEW_TICKS),
        yaxis={**axis.options, "nticks": 4},
    )
    if mark is not None:
        figure.add_vline(x=mark, line_width=1, line_dash="dot", line_color=TOKENS["crit"][0])
    say_if_empty(figure, is_empty=not curve.steps)
    return figure


def overlay(curves: Sequence[NamedCurve], *, log: bool = False, live: bool = False) -> go.Figure:
    """Several curves, one colour each, in the order given: metrics of one run."""
    figure = go.Figure()
    shown = [named.curve for named in curves]
    axis = _value_axis(shown, log_from=LOG_FROM if log else LOSS_LOG_FROM, gaps=log)
    followed: list[dict[str, Any]] = []  # Any: read by live.js
    for index, named in enumerate(curves):
        colour = SERIES[index % len(SERIES)]
        smoothing = _smoothing(named.curve)
        followed += _add_curve(
            figure, named.curve, axis, colour=colour, name=named.name, smoothing=smoothing, key=str(index)
        )
    figure.update_layout(
        template=TEMPLATE,
        uirevision="overlay",
        meta=_live(followed) if live else {},
        xaxis=steps_of(shown),
        yaxis=axis.options,
    )
    say_if_empty(figure, is_empty=not any(curve.steps for curve in shown))
    return figure


def ranks(curves: Sequence[Curve], *, apart: Sequence[int], metric: str) -> go.Figure:
    """A metric of every rank, one thin line each; above them rank 0, and the ranks that stand ``apart`` in colours of
    their own. Hovering tells of one rank: labels of 64 would cover the plot."""
    log = metric == "grad_norm"
    axis = _value_axis(curves, log_from=LOG_FROM if log else LOSS_LOG_FROM, gaps=log)
    colours = colours_of_ranks([curve.rank for curve in curves], apart)
    faint = max(0.3, 0.9 - len(curves) / 40)
    ordered = sorted(curves, key=lambda curve: (curve.rank in apart, curve.rank == 0))
    lines = [_rank_line(curve, colours[curve.rank], faint=faint) for curve in ordered]
    crosses = [
        marks(curve, axis.bottom, f"rank {curve.rank}", f"-{curve.rank}", colour="crit")
        for curve in ordered
        if any(curve.nonfinite)
    ]
    return go.Figure(
        [*lines, *crosses],
        {
            "template": TEMPLATE,
            "uirevision": metric,
            "meta": {"chart": f"{words.metric(metric)} of every rank over steps"},
            "hovermode": "closest",
            "hoverdistance": 20,
            "xaxis": steps_of(curves),
            "yaxis": axis.options,
        },
    )


def _rank_line(curve: Curve, colour: str, *, faint: float) -> go.Scatter:
    is_other, name = colour == OTHERS, f"rank {curve.rank}"
    return go.Scatter(
        x=np.asarray(curve.steps),
        y=values(curve.mean),
        name=name,
        uid=f"{colour}-rank{curve.rank}",
        mode="lines" if len(curve.steps) > 1 else "lines+markers",
        marker={"size": LONE_PX},
        opacity=faint if is_other else 1.0,
        line={"color": TOKENS[colour][0], "width": 1.0 if is_other else 1.8},
        hovertemplate=f"{name} <b>%{{y:.4g}}</b> at step %{{x:,}}<extra></extra>",
    )


def colours_of_ranks(shown: Sequence[int], apart: Sequence[int]) -> dict[int, str]:
    """Rank → token: rank 0's, one for each of the first that stand apart, the last of them for all further ones, and
    one for all others."""
    own = {rank: SERIES[min(place, len(SERIES) - 1)] for place, rank in enumerate(apart, start=1)}
    return {rank: own.get(rank, OTHERS if rank else "s1") for rank in shown}


def smooth(steps: Sequence[int], series: Numbers, *, span: float, log: bool = False) -> Numbers:
    """Exponential average over ``span`` steps, geometric if ``log``; what is not finite leaves a gap. float32 [n].

    Debiased (Kingma and Ba, arXiv:1412.6980, section 3), as in TensorBoard: the first point weighs no more than others,
    or a curve that falls would be drawn too high."""
    if log:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.power(np.float32(10), smooth(steps, np.log10(series), span=span))
    average = np.full(len(series), np.nan, np.float32)
    last_step, last, known = (steps[0] - 1 if len(steps) else 0), 0.0, 0.0
    for index, (step, value) in enumerate(zip(steps, series.tolist(), strict=True)):
        if not np.isfinite(value):
            continue
        kept = float(np.exp(-(step - last_step) / span))
        known = known * kept + 1.0 - kept
        last += (1.0 - kept) / known * (value - last)
        last_step = step
        average[index] = last
    return average


def known_share(steps: Sequence[int], *, span: float) -> float:
    """How much of its weight an average over ``span`` steps has after these: 0 before the first, 1 after many."""
    return 1.0 - float(np.exp(-(steps[-1] - steps[0] + 1) / span)) if len(steps) else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """A value axis: plotly's own ``options``, and the lowest value drawn on it."""

    options: dict[str, Any]  # Any: plotly's own
    log: bool
    bottom: float


def _finite(curves: Iterable[Curve]) -> Numbers:
    # the envelope too: a spike or a zero may be in it alone
    parts = [values(floats) for curve in curves for floats in (curve.low, curve.mean, curve.high)]
    shown = np.concatenate(parts) if parts else np.empty(0, np.float32)
    return shown[np.isfinite(shown)]


def _value_axis(curves: Iterable[Curve], *, log_from: float | None, gaps: bool = False) -> _Axis:
    """Logarithmic where the highest is ``log_from`` times the lowest and all is positive, or may leave ``gaps``."""
    shown = _finite(curves).astype(np.float64)
    positive = shown[shown > 0]
    if log_from is not None and len(positive) and (gaps or len(positive) == len(shown)):
        low, high = float(positive.min()), float(positive.max())
        if high > log_from * low:
            return _Axis(options=log_options(low, high), log=True, bottom=low)
    low, high = (float(shown.min()), float(shown.max())) if len(shown) else (0.0, 0.0)
    form = "SI" if LARGE <= max(abs(low), abs(high)) < TOO_LARGE else "e"  # bytes read as 347.1M
    options: dict[str, Any] = {"nticks": 6, "tickformat": "", "exponentformat": form, "minexponent": 4}
    if len(shown) and high - low <= LONE_WITHIN * max(abs(low), abs(high)):
        # around a lone value plotly shows one more and one less, whatever its size
        options |= {"rangemode": "tozero", "autorangeoptions": {"include": [high * 1.25 if high else 1.0]}}
    return _Axis(options=options, log=False, bottom=low)


def log_options(low: float, high: float) -> dict[str, Any]:  # Any: plotly's own
    """A logarithmic axis with a few labels, whatever lies between; ``low`` is above 0 and below ``high``."""
    if high <= LOG_FROM * low:  # powers of ten alone would be too few labels, and of little also 1, 2 and 5
        dtick = "D2" if high > LABELS_BY_STEP_TO * low else f"L{_round_step((high - low) / 3):g}"
        return {"type": "log", "dtick": dtick, "tickformat": "~g", "uirevision": "log"}
    return {
        "type": "log",
        # 40-live.js widens it when the values grow
        "dtick": max(1, int(np.ceil(np.log10(high / low) / LABELLED_DECADES))),
        "exponentformat": "power",
        "tickformat": "",
        "tickfont": {"size": LOG_TICK_PX},
        "uirevision": "log",  # what was zoomed into on a linear axis is no part of this one
    }


def _round_step(about: float) -> float:
    """The greatest of 1, 2 or 5 times a power of ten that is not above it."""
    power = float(10.0 ** np.floor(np.log10(about)))
    return next(factor * power for factor in (5, 2, 1) if factor * power <= about * (1 + 1e-9))


def steps_of(curves: Sequence[Curve], *ends: int, ticks: int = TICKS) -> dict[str, Any]:  # Any: plotly's own
    """Of the curves, and as far as ``ends``."""
    starts = [curve.steps[0] for curve in curves if curve.steps]
    last = max([*map(_last_step, curves), *ends], default=None)
    return step_axis(min(starts, default=None), last, ticks=ticks)


def _live(followed: list[dict[str, Any]], *, ticks: int = TICKS) -> dict[str, Any]:  # Any: read by live.js
    return {"live": {"lines": followed, "max": LIVE_POINTS, "ticks": ticks}}


def _smoothing(curve: Curve) -> float:
    return SMOOTHING if len(curve.steps) >= SMOOTHED_FROM_POINTS else 0.0


def _add_curve(
    figure: go.Figure, curve: Curve, axis: _Axis, *, colour: str, name: str, smoothing: float, key: str = ""
) -> list[dict[str, Any]]:  # Any: read by live.js
    steps, mean = np.asarray(curve.steps), values(curve.mean)
    start, shape = len(figure.data), "hv" if words.is_held(curve.metric) else "linear"
    hidden = {"mode": "lines", "hoverinfo": "skip", "line": {"width": 0, "color": TOKENS[colour][0], "shape": shape}}
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
    lines = [_line(steps, mean, colour, name, uid=f"{colour}-raw{key}", faint=smoothing > 0)]
    followed: list[dict[str, Any]] = [{"trace": start + offset, "metric": curve.metric} for offset in range(3)]
    if smoothing and curve.steps:
        span = max(1.0, (curve.steps[-1] - curve.steps[0]) * smoothing)
        average = smooth(curve.steps, mean, span=span, log=axis.log)
        lines.append(_line(steps, average, colour, name, uid=f"{colour}-smooth{key}", faint=False))
        known = known_share(curve.steps, span=span)
        followed.append({"trace": start + 3, "metric": curve.metric, "span": span, "log": axis.log, "known": known})
    figure.add_traces([line.update(line_shape=shape) for line in lines])
    figure.add_trace(marks(curve, axis.bottom, name if key else "", key, colour=colour if key else "crit"))
    followed.append({"trace": len(figure.data) - 1, "metric": curve.metric, "nonfinite": MAX_MARKS})
    return followed


def _line(steps: Any, series: Numbers, colour: str, name: str, *, uid: str, faint: bool) -> go.Scatter:
    # the uid becomes a CSS class ("trace" + uid), which 20-plot.css colours for each scheme
    is_lone = len(series) < 2
    return go.Scatter(
        x=steps,
        y=series,
        name=name,
        uid=uid,
        mode="lines+markers+text" if is_lone else "lines",
        text=[words.number(float(value)) for value in series] if is_lone else None,
        texttemplate="%{y:.3~s}" if is_lone and (np.abs(series) >= LARGE).any() else None,  # as its axis has it
        textposition="top center",
        textfont={"size": LONE_TEXT_PX},
        marker={"size": LONE_PX},
        meta={"lone": is_lone},  # no longer when a second point comes while one looks
        opacity=0.38 if faint else 1.0,
        line={"color": TOKENS[colour][0], "width": 1.0 if faint else 2.0},
        hoverinfo="skip" if faint else None,
        hovertemplate=None if faint else f"{plain(name)} <b>%{{y:.4g}}</b><extra></extra>",
    )


def marks(curve: Curve, bottom: float, name: str, key: str, *, colour: str) -> go.Scatter:
    """A cross where values were not finite, at the height of the last one that was, or the ``bottom``; of many an even
    choice."""
    mean = values(curve.mean)
    where = np.flatnonzero(np.asarray(curve.nonfinite))
    where = where[np.unique(np.linspace(0, len(where) - 1, MAX_MARKS).astype(int))] if len(where) > MAX_MARKS else where
    finite = np.flatnonzero(np.isfinite(mean))
    before = np.searchsorted(finite, where, side="right") - 1
    heights = mean[finite[np.clip(before, 0, None)]] if len(finite) else np.full(len(where), bottom, np.float32)
    return go.Scatter(
        x=np.asarray(curve.steps)[where] if len(where) else [],
        y=heights,
        name="not finite",
        uid=f"{colour}-nonfinite{key}",
        mode="markers",
        marker={"symbol": "x", "size": 8, "color": TOKENS[colour][0]},
        hovertemplate=f"{plain(name)} <b>not finite</b> at step %{{x:,}}<extra></extra>".lstrip(),
        cliponaxis=False,
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


def _last_step(curve: Curve) -> int:
    return curve.last_steps[-1] if curve.last_steps else 0
