"""/runs/<run_id>/metrics?text=&smooth=&y=&x=: all metrics of a run; the URL is the state."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update

from trainvitals.wire.answers import Curve, RunDetail
from trainvitals_dashboard import words
from trainvitals_dashboard.api import Api, ApiError
from trainvitals_dashboard.figures.lines import values
from trainvitals_dashboard.figures.metric import STEP, TIME, Clock, Look, metric_chart
from trainvitals_dashboard.pages.run_page import register_tab
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.metric_groups import metric_controls, metric_groups, no_metrics
from trainvitals_dashboard.parts.metric_told import Told, told

POINTS: Final = 400  # of a chart
CLOCK_POINTS: Final = 1000
MOST_AT_ONCE: Final = 6  # as 55-metrics.js asks
LOOK: Final = ("metrics-text", "metrics-smooth", "metrics-y", "metrics-x")


def register(app: Dash, api: Api) -> None:
    """The page and its callbacks."""

    async def body(detail: RunDetail, query: dict[str, str]) -> list[Piece]:
        return [
            dcc.Store(id="metrics-groups", data=metric_groups(detail.metrics)),
            dcc.Store(id="metrics-asked"),
            dcc.Store(id="metrics-drawn"),
            metric_controls(detail.metrics, query),
            html.Div(id="metrics-places", className="tv-col tv-linked"),
            html.P("No metric is called so.", id="metrics-none", className="tv-none", hidden=True),
            html.Div(no_metrics(), id="metrics-empty", hidden=bool(detail.metrics)),
            html.Div(dcc.Graph(), hidden=True),  # for plotly, which Dash loads with the first graph
        ]

    register_tab(api, "metrics", body)
    _register_charts(app, api)
    for function, there, inputs in (
        ("metricsLook", "metrics-count", [Input(name, "value") for name in LOOK]),
        ("metricsThere", "metrics-places", [Input("metrics-groups", "data"), Input("live-reload", "data")]),
        ("metricsDraw", "metrics-none", [Input("metrics-drawn", "data")]),
    ):
        app.clientside_callback(ClientsideFunction("trainvitals", function), Output(there, "title"), inputs)


def _register_charts(app: Dash, api: Api) -> None:
    @app.callback(
        Output("metrics-drawn", "data"),
        Input("metrics-asked", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def draw(asked: dict[str, Any], live: dict[str, Any]) -> dict[str, Any]:
        charts = await drawn(api, live["run"], asked["metrics"][:MOST_AT_ONCE], Look.of(asked))
        return {"at": asked["at"], "charts": charts}

    @app.callback(
        Output("metrics-groups", "data"),
        Input("live-reload", "data"),
        State("metrics-groups", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def grow(_reload: Any, known: Any, live: dict[str, Any]) -> Any:
        groups = metric_groups((await api.run(live["run"])).metrics)
        return no_update if groups == known else groups


async def drawn(api: Api, run_id: str, metrics: list[str], look: Look) -> dict[str, Told]:
    """Metric → what is told of it; those that the run has not are left out."""
    clock = await _clock(api, run_id, look.by)

    async def one(metric: str) -> Told | None:
        curve = await _curve(api, run_id, metric, points=POINTS)
        if curve is None:
            return None
        figure = metric_chart(curve, look=look, name=words.metric(metric), clock=clock)
        return told(curve, figure, newest=await _newest(api, curve), look=look)

    found = await asyncio.gather(*map(one, metrics))
    return {metric: chart for metric, chart in zip(metrics, found, strict=True) if chart is not None}


async def _clock(api: Api, run_id: str, by: str) -> Clock | None:
    if by == STEP:
        return None
    curve = await _curve(api, run_id, "elapsed_seconds" if by == TIME else by, points=CLOCK_POINTS)
    return Clock.of(curve) if by == TIME else Clock.counted(curve, words.metric(by))


async def _newest(api: Api, curve: Curve) -> float | None:
    """The value logged last: of a thinned curve the last point is a mean."""
    if curve.bucket == 1 or not curve.steps:
        return None
    last = await api.metric_curve(curve.run_id, curve.metric or "", first=curve.last_steps[-1])
    return float(values(last.mean)[-1]) if last.steps else None


async def _curve(api: Api, run_id: str, metric: str, *, points: int) -> Curve | None:
    try:
        return await api.metric_curve(run_id, metric, points=points)
    except ApiError as error:
        if error.status >= 500:
            raise
        return None
