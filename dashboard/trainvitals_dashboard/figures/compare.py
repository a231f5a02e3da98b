"""One metric of many runs in one plot: told apart by colour and dashes, or as differences from one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from msgspec.structs import replace
from numpy.typing import NDArray

from trainvitals.wire.answers import Curve
from trainvitals.wire.floats import Floats
from trainvitals_dashboard import words
from trainvitals_dashboard.figures.emptiness import say_if_empty
from trainvitals_dashboard.figures.lines import (
    LONE_PX,
    SMOOTHED_FROM_POINTS,
    SMOOTHING,
    log_options,
    marks,
    smooth,
    steps_of,
    values,
)
from trainvitals_dashboard.figures.plain import plain
from trainvitals_dashboard.theme import SERIES, TEMPLATE, TOKENS

DASHES: Final[tuple[tuple[int, ...], ...]] = (  # pixels drawn and left out, by turns; the first is a whole line
    (),
    (7, 3),
    (2, 2),
    (9, 3, 2, 3),
    (14, 4),
    (5, 2, 1, 2),
    (12, 3, 4, 3),
    (3, 6),
)
FEW: Final = 5  # runs: of more points are fewer, the spread is left out, and hovering tells of one alone
WIDTH_PX: Final = (1.9, 1.3)  # of a curve among few, and among many
BASELINE_PX: Final = 3.2
MANY_OPACITY: Final = 0.8
LOG_FROM: Final = 1000  # highest over lowest: then nothing would be seen of the lower on a linear axis

Numbers = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """A run's curve. ``place``: where the run stands in the choice, from 0, which gives colour and dashes."""

    name: str
    curve: Curve
    place: int
    is_baseline: bool = False
    is_hidden: bool = False


def look(place: int) -> tuple[str, tuple[int, ...]]:
    """The colour's token and the dashes of the run at a place; the same again after forty."""
    return SERIES[place % len(SERIES)], DASHES[place // len(SERIES) % len(DASHES)]


def dash_word(dashes: tuple[int, ...]) -> str:
    """As plotly has it."""
    return ",".join(f"{length}px" for length in dashes) or "solid"


def difference(curve: Curve, baseline: Curve) -> Curve:
    """The curve minus the baseline at the same steps, between whose points a straight line is drawn. Buckets are read
    in their middle. NaN, a gap, where the baseline has nothing before or behind, or either is not finite; steps at
    which the curve itself was not finite stay marked."""
    at, known = _middles(curve), _middles(baseline)
    below = (
        np.interp(at, known, values(baseline.mean).astype(np.float64), left=np.nan, right=np.nan)
        if len(known)
        else np.full(len(at), np.nan)
    )
    with np.errstate(invalid="ignore"):
        parts = [values(floats).astype(np.float64) - below for floats in (curve.low, curve.mean, curve.high)]
    low, mean, high = (Floats(np.where(np.isfinite(part), part, np.nan).astype("<f4").tobytes()) for part in parts)
    return replace(curve, low=low, mean=mean, high=high)


def _middles(curve: Curve) -> NDArray[np.float64]:
    return (np.asarray(curve.steps, np.float64) + np.asarray(curve.last_steps, np.float64)) / 2


def last_finite(curve: Curve) -> tuple[int, float] | None:
    """The last step at which the curve is a number, and the number."""
    mean = values(curve.mean)
    finite = np.flatnonzero(np.isfinite(mean))
    return (int(curve.last_steps[finite[-1]]), float(mean[finite[-1]])) if len(finite) else None


def compared(
    lines: Sequence[RunLine], *, metric: str, log: bool = False, smoothed: bool = True, against: str = ""
) -> go.Figure:
    """The runs' curves, the baseline's thicker and above all others. ``metric``: in words. ``log``: wished for; values
    that are not positive leave gaps then. ``against``: the name of the baseline, where the curves are differences from
    it."""
    is_log = log and any(bool((_shown(line.curve) > 0).any()) for line in lines)
    figure = go.Figure()
    few = len(lines) <= FEW
    for line in sorted(lines, key=lambda line: line.is_baseline):
        figure.add_traces(_traces(line, few=few, smoothed=smoothed, log=is_log))
    bottom = _lowest(lines, positive=is_log)
    figure.add_traces([_marks(line, bottom) for line in lines if any(line.curve.nonfinite)])
    figure.update_layout(
        template=TEMPLATE,
        uirevision=f"{metric}{against}",
        margin={"l": 66 if against else 52},
        hovermode="x" if few else "closest",
        hoverdistance=10 if few else 20,
        xaxis=steps_of([line.curve for line in lines]),
        yaxis=_log_axis(lines) if is_log else {"nticks": 7, "exponentformat": "e", "minexponent": 4},
    )
    if against:
        title = {"text": plain(f"{metric} minus that of {against}"), "font": {"size": 11}, "standoff": 6}
        figure.update_yaxes(title=title, zeroline=True)
        figure.update_layout(meta={"chart": f"{metric} minus that of {against}"})
    say_if_empty(figure, is_empty=not any(line.curve.steps for line in lines))
    return figure


def spans_decades(curves: Sequence[Curve]) -> bool:
    """Whether a logarithmic axis is the natural one: all is positive, and the highest a thousand times the lowest."""
    shown = np.concatenate([_shown(curve) for curve in curves]) if curves else np.empty(0, np.float32)
    return bool(len(shown) and shown.min() > 0 and shown.max() > LOG_FROM * shown.min())


def _shown(curve: Curve) -> Numbers:
    """The finite values of a curve and its envelope, for a spike or a zero may be in that alone."""
    every = np.concatenate([values(floats) for floats in (curve.low, curve.mean, curve.high)])
    finite: Numbers = every[np.isfinite(every)]
    return finite


def _lowest(lines: Sequence[RunLine], *, positive: bool) -> float:
    shown = np.concatenate([_shown(line.curve) for line in lines]) if lines else np.empty(0, np.float32)
    shown = shown[shown > 0] if positive else shown
    return float(shown.min()) if len(shown) else 0.0


def _log_axis(lines: Sequence[RunLine]) -> dict[str, Any]:  # Any: plotly's own
    shown = np.concatenate([_shown(line.curve) for line in lines])
    positive = shown[shown > 0].astype(np.float64)
    low, high = float(positive.min()), float(positive.max())
    return log_options(low, high) if high > low else {"type": "log", "uirevision": "log"}


def _traces(line: RunLine, *, few: bool, smoothed: bool, log: bool) -> list[go.Scatter]:
    curve = line.curve
    is_smoothed = smoothed and len(curve.steps) >= SMOOTHED_FROM_POINTS
    span = max(1.0, (curve.steps[-1] - curve.steps[0]) * SMOOTHING) if is_smoothed else 0.0
    mean = values(curve.mean)
    shown = smooth(curve.steps, mean, span=span, log=log) if is_smoothed else mean
    spread = _spread(line) if few else []
    raw = [_line(line, mean, part="raw", few=few, faint=True)] if few and is_smoothed else []
    return [*spread, *raw, _line(line, shown, part="line", few=few)]


def _spread(line: RunLine) -> list[go.Scatter]:
    colour, _ = look(line.place)
    hidden = {
        "x": np.asarray(line.curve.steps),
        "mode": "lines",
        "hoverinfo": "skip",
        "line": {"width": 0, "color": TOKENS[colour][0], "shape": _shape(line)},
        "visible": not line.is_hidden,
    }
    fill = {"fill": "tonexty", "fillcolor": "rgba(0,114,178,.18)"}
    low, high = values(line.curve.low), values(line.curve.high)
    return [
        go.Scatter(y=low, uid=f"{colour}-low-run{line.place}", name=f"{line.name} lowest", **hidden),
        go.Scatter(y=high, uid=f"{colour}-high-run{line.place}", name=f"{line.name} highest", **hidden, **fill),
    ]


def _line(line: RunLine, series: Numbers, *, part: str, few: bool, faint: bool = False) -> go.Scatter:
    # the uid becomes a CSS class ("trace" + uid): 20-plot.css colours it for each scheme, 57-compare.js finds the run
    colour, dashes = look(line.place)
    width = 1.0 if faint else BASELINE_PX if line.is_baseline else WIDTH_PX[not few]
    step = "" if few else " at step %{x:,}"
    return go.Scatter(
        x=np.asarray(line.curve.steps),
        y=series,
        name=line.name,
        uid=f"{colour}-{part}-run{line.place}",
        mode="lines" if len(series) > 1 else "lines+markers",
        marker={"size": LONE_PX},
        opacity=0.3 if faint else 1.0 if few or line.is_baseline else MANY_OPACITY,
        line={
            "color": TOKENS[colour][0],
            "width": width,
            "dash": "solid" if faint else dash_word(dashes),
            "shape": _shape(line),
        },
        visible=not line.is_hidden,
        hoverinfo="skip" if faint else None,
        hovertemplate=None if faint else f"{plain(line.name)} <b>%{{y:.4g}}</b>{step}<extra></extra>",
    )


def _shape(line: RunLine) -> str:
    return "hv" if words.is_held(line.curve.metric) else "linear"


def _marks(line: RunLine, bottom: float) -> go.Scatter:
    colour, _ = look(line.place)
    crosses = marks(line.curve, bottom, line.name, f"-run{line.place}", colour=colour)
    return crosses.update(name=f"{line.name} not finite", visible=not line.is_hidden)
