"""What became of runs against the settings in which they differ: one setting in a scatter, all in parallel axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import plotly.graph_objects as go

from trainvitals.wire.answers import Curve
from trainvitals_dashboard import words
from trainvitals_dashboard.figures.compare import BASELINE_PX, FEW, WIDTH_PX, dash_word, last_finite, look
from trainvitals_dashboard.figures.emptiness import say_if_empty
from trainvitals_dashboard.figures.lines import values
from trainvitals_dashboard.figures.plain import plain
from trainvitals_dashboard.theme import TEMPLATE, TOKENS

Reading = Literal["last", "lowest", "highest"]
READINGS: Final[dict[Reading, str]] = {"last": "Last", "lowest": "Lowest", "highest": "Highest"}
DECADE: Final = 10.0
FEW_DECADES: Final = 3  # between which twos and fives are labelled, too
LABELLED_DECADES: Final = 8
POINT_PX: Final = 11
SYMBOLS: Final = ("circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "star", "hexagon")
MOST_AXES: Final = 8
LONGEST_TITLE: Final = 22  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """A run, and the number that it came to; NaN where there is none. ``place``: as in RunLine."""

    name: str
    place: int
    value: float
    is_baseline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelAxis:
    """One axis: its title, and where each run stands on it."""

    title: str
    numbers: Sequence[float]


def read(curve: Curve | None, reading: Reading, *, last: float | str | None) -> float:
    """The ``last`` value as the run told it, or the lowest or highest of its curve; NaN where there is none, or it is
    no number. The extremes are those that were logged, not those of averages."""
    if reading == "last":
        return last if isinstance(last, float) else math.nan
    if curve is None or last_finite(curve) is None:
        return math.nan
    return float(np.nanmin(_finite(curve.low))) if reading == "lowest" else float(np.nanmax(_finite(curve.high)))


def _finite(floats: Any) -> Any:  # Any: Floats in, an array out
    every = values(floats)
    return np.where(np.isfinite(every), every, np.nan)


def is_log(numbers: Sequence[float]) -> bool:
    """Whether numbers are read on a logarithmic axis: all positive, over a decade or more."""
    known = [number for number in numbers if math.isfinite(number)]
    return bool(known) and min(known) > 0 and max(known) >= DECADE * min(known) * (1 - 1e-9)


def scatter(outcomes: Sequence[RunOutcome], numbers: Sequence[float], *, setting: str, outcome: str) -> go.Figure:
    """A point for each run that has an outcome, in its colour, with a symbol for its dashes. ``numbers``: the setting's
    values, in the order of the runs."""
    pairs = [(one, number) for one, number in zip(outcomes, numbers, strict=True) if math.isfinite(one.value)]
    figure = go.Figure([_point(one, number) for one, number in pairs])
    axes = {"x": [number for _, number in pairs], "y": [one.value for one, _ in pairs]}
    figure.update_layout(
        template=TEMPLATE,
        uirevision=f"{setting}{outcome}",
        hovermode="closest",
        margin={"l": 64, "r": 14, "t": 8, "b": 40},
        xaxis=_axis(axes["x"], setting),
        yaxis=_axis(axes["y"], outcome),
    )
    say_if_empty(figure, is_empty=not pairs)
    return figure


def _axis(numbers: Sequence[float], title: str) -> dict[str, Any]:  # Any: plotly's own
    named = {"title": {"text": plain(title), "font": {"size": 11}, "standoff": 8}}
    if not is_log(numbers):
        return {**named, "nticks": 6}
    decades = math.log10(max(numbers) / min(numbers))
    ticks = "D2" if decades < FEW_DECADES else math.ceil(decades / LABELLED_DECADES)
    return {**named, "type": "log", "dtick": ticks, "exponentformat": "e"}


def _point(one: RunOutcome, number: float) -> go.Scatter:
    colour, _ = look(one.place)
    ring = {"width": 2.5 if one.is_baseline else 0, "color": TOKENS["fg-2"][0]}
    return go.Scatter(
        x=[number],
        y=[one.value],
        uid=f"{colour}-point-run{one.place}",
        name=one.name,
        mode="markers",
        marker={
            "size": POINT_PX * (1.4 if one.is_baseline else 1),
            "color": TOKENS[colour][0],
            "symbol": SYMBOLS[one.place // 5 % len(SYMBOLS)],
            "line": ring,
        },
        hovertemplate=f"{plain(one.name)}<br>%{{x:.4g}} → <b>%{{y:.4g}}</b><extra></extra>",
        cliponaxis=False,
    )


def parallel(outcomes: Sequence[RunOutcome], axes: Sequence[ParallelAxis]) -> go.Figure:
    """A line for each run from axis to axis; each axis from its lowest number to its highest, logarithmic where they
    span a decade. A run without a number has a gap there."""
    heights = [_heights(axis.numbers) for axis in axes]
    figure = go.Figure()
    for row, one in sorted(enumerate(outcomes), key=lambda pair: pair[1].is_baseline):
        colour, dashes = look(one.place)
        told = [f"{plain(axis.title)} {words.number(axis.numbers[row])}" for axis in axes]
        figure.add_scatter(
            x=list(range(len(axes))),
            y=[height[row] for height in heights],
            uid=f"{colour}-parallel-run{one.place}",
            customdata=np.array([axis.numbers[row] for axis in axes], np.float64),  # for 52-chart-export.js
            name=one.name,
            mode="lines",
            line={
                "color": TOKENS[colour][0],
                "width": BASELINE_PX if one.is_baseline else WIDTH_PX[len(outcomes) > FEW],
                "dash": dash_word(dashes),
            },
            hovertemplate=f"<b>{plain(one.name)}</b><br>{'<br>'.join(told)}<extra></extra>",
            cliponaxis=False,
        )
    for place, axis in enumerate(axes):
        _add_ends(figure, place, axis)
    figure.update_layout(
        template=TEMPLATE,
        uirevision="parallel",
        meta={"columns": [axis.title for axis in axes]},
        hovermode="closest",
        hoverdistance=30,
        margin={"l": 60, "r": 60, "t": 62, "b": 30},
        xaxis={"visible": False, "range": [0, max(1, len(axes) - 1)], "fixedrange": True},
        yaxis={"visible": False, "range": [0, 1], "fixedrange": True},
    )
    return figure


def _heights(numbers: Sequence[float]) -> list[float]:
    """From 0 for the lowest to 1 for the highest; NaN stays."""
    scaled = [math.log10(number) if is_log(numbers) else number for number in numbers]
    known = [number for number in scaled if math.isfinite(number)]
    if not known or max(known) == min(known):
        return [0.5 if math.isfinite(number) else math.nan for number in scaled]
    return [(number - min(known)) / (max(known) - min(known)) for number in scaled]


def _add_ends(figure: go.Figure, place: int, axis: ParallelAxis) -> None:
    known = [number for number in axis.numbers if math.isfinite(number)]
    line = {"color": TOKENS["fg-3"][0], "width": 1}
    figure.add_shape(type="line", x0=place, x1=place, y0=0, y1=1, line=line, layer="below", name="axis")
    text = {"x": place, "xref": "x", "yref": "paper", "showarrow": False, "font": {"size": 11}}
    name = axis.title if len(axis.title) <= LONGEST_TITLE else f"…{axis.title[-LONGEST_TITLE + 1 :]}"
    title = f"<b>{plain(name)}</b>{' (log)' if is_log(axis.numbers) else ''}"
    figure.add_annotation(**text, y=1, yshift=34 + 15 * (place % 2), text=title)  # else neighbours would touch
    if known:
        figure.add_annotation(**text, y=1, yshift=16, text=words.number(max(known)))
        figure.add_annotation(**text, y=0, yshift=-18, text=words.number(min(known)))
