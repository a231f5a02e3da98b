"""The row of key numbers at the top of a run's page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from dash import html

from trainvitals.wire.answers import Curve, RunSummary
from trainvitals.wire.floats import Floats
from trainvitals_dashboard import words
from trainvitals_dashboard.figures.lines import values
from trainvitals_dashboard.figures.spark import Points, spark, thinned

RECENT_POINTS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpi:
    """One number: ``metric`` is what live updates set it from; ``points`` its sparkline, by step."""

    label: str
    value: str
    metric: str
    unit: str = ""
    points: Points = ()
    colour: str = "fg-3"
    tip: str = ""


def kpis(summary: RunSummary, curves: Mapping[str, Curve], *, loss: str | None) -> html.Div:
    """Loss, gradient norm, learning rate, speed and the SDK's own overhead, as far as they were recorded."""
    shown = [
        _last(loss or "loss", "Loss", summary, curves, colour="s1", tip="The newest value logged."),
        _last("grad_norm", "Gradient norm", summary, curves, colour="s3", tip="Global L2 norm."),
        _last("lr", "Learning rate", summary, curves, tip="Of the first parameter group."),
        _speed(curves.get("elapsed_seconds")),
        _overhead(curves.get("overhead_fraction")),
    ]
    return html.Div([_tile(kpi) for kpi in shown], className="tv-kpis", id="kpis")


def _last(
    metric: str, label: str, summary: RunSummary, curves: Mapping[str, Curve], *, colour: str = "fg-3", tip: str
) -> Kpi:
    last = summary.last.get(metric)
    value = words.number(last.value if last else None)
    return Kpi(label=label, value=value, metric=metric, points=_points(curves.get(metric)), colour=colour, tip=tip)


def _speed(elapsed: Curve | None) -> Kpi:
    tip = "Steps per second over the newest points."
    if elapsed is None or len(elapsed.steps) < 2:
        return Kpi(label="Speed", value="–", metric="elapsed_seconds", unit="steps/s", tip=tip)
    steps, seconds = np.asarray(elapsed.steps, float), values(elapsed.mean).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        speeds = np.diff(steps) / np.diff(seconds)
        newest = steps[-RECENT_POINTS:], seconds[-RECENT_POINTS:]
        speed = float(np.ptp(newest[0]) / np.ptp(newest[1]))
    return Kpi(
        label="Speed",
        value=words.number(speed),
        metric="elapsed_seconds",
        unit="steps/s",
        points=thinned(elapsed.steps[1:], speeds.tolist()),
        tip=tip,
    )


def _overhead(shares: Curve | None) -> Kpi:
    newest = values(shares.mean if shares else Floats())[-1:]
    return Kpi(
        label="Overhead",
        value=f"{float(newest[0]) * 100:.2f}" if len(newest) else "–",
        metric="overhead_fraction",
        unit="%",
        points=_points(shares),
        tip="What trainvitals itself costs, as a share of the training's time, over the last twenty snapshots.",
    )


def _points(curve: Curve | None) -> Points:
    return thinned(curve.steps, values(curve.mean).tolist()) if curve else ()


def _tile(kpi: Kpi) -> html.Div:
    style = {"--m": f'url("{spark(kpi.points)}")', "color": f"var(--tv-{kpi.colour})"}
    # JSON knows no NaN
    points = json.dumps([(step, value if math.isfinite(value) else None) for step, value in kpi.points])
    row = [
        html.Span(kpi.value, className="tv-kpi-v", **{"data-kpi": kpi.metric}),
        html.Span(kpi.unit, className="tv-kpi-u"),
    ]
    line = html.Span(
        className="tv-spark", style=style, **{"aria-hidden": "true", "data-spark": kpi.metric, "data-points": points}
    )
    return html.Div(
        [html.Div(kpi.label, className="tv-kpi-l"), html.Div(row, className="tv-kpi-row"), line],
        className="tv-kpi",
        title=kpi.tip,
    )
