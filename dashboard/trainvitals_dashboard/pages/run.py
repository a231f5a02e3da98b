"""/runs/<run_id>: one run, live."""

from __future__ import annotations

from typing import Any

import dash
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, ctx, html, no_update

from trainvitals_dashboard import words
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.gathering import gather_run
from trainvitals_dashboard.pages import capture, checklist, drawer, finding_acts, notes, preflight, ranks
from trainvitals_dashboard.pages.run_page import live_of
from trainvitals_dashboard.pages.zoom import Zoom, zoom_of, zoomed
from trainvitals_dashboard.parts.addresses import run_at
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.findings import findings_of
from trainvitals_dashboard.parts.frozen import drawn
from trainvitals_dashboard.parts.kpi import kpis
from trainvitals_dashboard.parts.layers import layers_card
from trainvitals_dashboard.parts.metrics_card import small_charts
from trainvitals_dashboard.parts.page import page, plainly
from trainvitals_dashboard.parts.run_body import body
from trainvitals_dashboard.parts.run_charts import HEAT_STATS, heat_bar, heat_figure, loss_key, small_figure
from trainvitals_dashboard.parts.run_head import head

Data = dict[str, Any]  # what browser stores hold
PARTS = (
    *(preflight.register_preflight, ranks.register_ranks, drawer.register_drawer, notes.register_notes),
    *(finding_acts.register_finding_acts, capture.register_capture, checklist.register_checklist),
)


def register(app: Dash, api: Api) -> None:
    """The page and its callbacks."""

    @plainly
    async def layout(run_id: str = "", stat: str = HEAT_STATS[0], finding: str = "", **_: str) -> html.Div:
        view = await gather_run(api, run_at(run_id), stat=stat if stat in HEAT_STATS else HEAT_STATS[0], follow=True)
        summary, live = view.detail.summary, live_of(view.detail, finding=finding)
        return page(body(view, stat=stat), crumbs=(summary.project, summary.name), live=live)

    dash.register_page(
        "trainvitals.run",
        path_template="/runs/<run_id>",
        layout=layout,
        title=lambda run_id="": f"{run_id} · trainvitals",
    )
    _register_plots(app, api)
    _register_panels(app, api)
    for part in PARTS:
        part(app, api)


def _register_plots(app: Dash, api: Api) -> None:
    @app.callback(
        Output("g-loss", "figure"),
        Input("g-loss", "relayoutData"),
        Input("live-reload", "data"),
        Input("live-findings", "data"),
        State("live-run", "data"),
        State("g-loss", "figure"),
        prevent_initial_call=True,
    )
    async def redraw_loss(relayout: Data | None, _reload: Any, _found: Any, live: Data, shown: Data) -> Any:
        zoom = zoom_of(relayout) if ctx.triggered_id == "g-loss" else Zoom.of_figure(shown)
        return no_update if zoom is None else await zoomed(api, live["run"], zoom)

    @app.callback(
        Output("g-heat", "figure"),
        Output("heat-bar", "children"),
        Input("heat-stat", "value"),
        Input("live-reload", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_heat(stat: str, _reload: Any, live: Data) -> tuple[go.Figure, Piece]:
        view = await gather_run(api, live["run"], stat=stat)
        return heat_figure(view), heat_bar(view)

    @app.callback(
        Output("g-lr", "figure"),
        Output("g-norm", "figure"),
        Output("kpis", "children"),
        Output("metrics", "children"),
        Input("live-reload", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_small(_reload: Any, live: Data) -> tuple[go.Figure, go.Figure, Piece, Piece]:
        view = await gather_run(api, live["run"], stat=HEAT_STATS[0])
        numbers = kpis(view.detail.summary, view.curves, loss=view.loss).children
        return small_figure(view, "lr"), small_figure(view, "grad_norm"), numbers, small_charts(view)


def _register_panels(app: Dash, api: Api) -> None:
    @app.callback(
        Output("run-head", "children"),
        Output("findings", "html"),
        Output("layers", "html"),
        Output("loss-title", "children"),
        Output("loss-key", "children"),
        Input("live-findings", "data"),
        Input("live-reload", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_panels(_found: Any, _reload: Any, live: Data) -> tuple[Piece, ...]:
        view = await gather_run(api, live["run"], stat=HEAT_STATS[0])
        layers = layers_card(view.detail, view.findings, view.snapshot)
        return head(view), drawn(findings_of(view)), drawn(layers), words.metric(view.loss), loss_key(view)
