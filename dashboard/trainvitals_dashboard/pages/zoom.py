"""Zooming into a run: the steps in view are asked for anew, at full resolution, for all charts that stand together."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import plotly.graph_objects as go
from dash import ClientsideFunction, Dash, Input, Output, State

from trainvitals.wire.answers import Curve, RunDetail
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.figures.lines import loss
from trainvitals_dashboard.gathering import empty_curve, heatmap_or_none, loss_metric, validation_loss_metric
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.colorbar import heat_key
from trainvitals_dashboard.parts.run_charts import HEAT_STATS, heat_of, small_of
from trainvitals_dashboard.parts.zoom import Zoom

Data = dict[str, Any]  # what browser stores hold
CHARTS: Final = ("g-loss", "g-heat", "g-lr", "g-norm")  # of one zoom, whichever was zoomed
SMALL: Final = ("lr", "grad_norm")  # in the order of their charts


def register_zoom(app: Dash, api: Api) -> None:
    """The charts of one zoom. What asks for one is told apart in the browser (43-zoom.js): plotly tells of much else,
    and an answer that nothing is to be drawn would take the place of one that is on its way."""
    app.clientside_callback(
        ClientsideFunction("trainvitals", "zoomed"),
        Output("zoom", "data"),
        *[Input(chart, "relayoutData") for chart in CHARTS],
        State("zoom", "data"),
    )

    @app.callback(
        Output("g-loss", "figure"),
        Input("zoom", "data"),
        Input("live-reload", "data"),
        Input("live-findings", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_loss(zoom: Data | None, _reload: Any, _found: Any, live: Data) -> go.Figure:
        return await _loss(api, live["run"], Zoom(**zoom or {}))

    @app.callback(
        Output("g-heat", "figure"),
        Output("heat-bar", "children"),
        Input("heat-stat", "value"),
        Input("zoom", "data"),
        Input("live-reload", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_heat(stat: str, zoom: Data | None, _reload: Any, live: Data) -> tuple[go.Figure, Piece]:
        return await _heat(api, live["run"], stat if stat in HEAT_STATS else HEAT_STATS[0], Zoom(**zoom or {}))

    @app.callback(
        Output("g-lr", "figure"),
        Output("g-norm", "figure"),
        Input("zoom", "data"),
        Input("live-reload", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_small(zoom: Data | None, _reload: Any, live: Data) -> tuple[go.Figure, go.Figure]:
        detail, shown = await api.run(live["run"]), Zoom(**zoom or {})
        is_live = shown.is_live(detail)
        curves = await asyncio.gather(*[_curve(api, detail, metric, shown) for metric in SMALL])
        lr, norm = [small_of(metric, curve, live=is_live) for metric, curve in zip(SMALL, curves, strict=True)]
        return shown.shown_by(lr), shown.shown_by(norm)


async def _loss(api: Api, run_id: str, zoom: Zoom) -> go.Figure:
    detail, found = await asyncio.gather(api.run(run_id), api.findings(run_id))
    name, beside = loss_metric(detail), validation_loss_metric(detail)
    train = await _curve(api, detail, name, zoom)
    validation = await _curve(api, detail, beside, zoom) if beside and beside != name else None
    figure = loss(
        train,
        validation=validation,
        findings=found.findings,
        live=zoom.is_live(detail),
        last_step=detail.summary.last_step,
    )
    return zoom.shown_by(figure)


async def _heat(api: Api, run_id: str, stat: str, zoom: Zoom) -> tuple[go.Figure, Piece]:
    detail, heatmap = await asyncio.gather(
        api.run(run_id), heatmap_or_none(api, run_id, stat, first=zoom.first, last=zoom.last)
    )
    figure = heat_of(detail, stat, heatmap, live=zoom.is_live(detail))
    return zoom.shown_by(figure), heat_key(heatmap, figure)


async def _curve(api: Api, detail: RunDetail, metric: str, zoom: Zoom) -> Curve:
    run_id = detail.summary.run_id
    if metric not in detail.metrics:
        return empty_curve(run_id, metric)
    return await api.metric_curve(run_id, metric, first=zoom.first, last=zoom.last)
