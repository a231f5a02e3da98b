"""/runs/<run_id>: one run, live."""

from __future__ import annotations

from typing import Any

import dash
from dash import Dash, Input, Output, State, html

from trainvitals_dashboard import words
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.gathering import gather_run
from trainvitals_dashboard.pages import capture, checklist, drawer, finding_acts, notes, preflight, ranks
from trainvitals_dashboard.pages.run_page import live_of
from trainvitals_dashboard.pages.zoom import register_zoom
from trainvitals_dashboard.parts.addresses import layer_asked, run_at
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.findings import findings_of
from trainvitals_dashboard.parts.frozen import drawn
from trainvitals_dashboard.parts.kpi import kpis
from trainvitals_dashboard.parts.layers import layers_card
from trainvitals_dashboard.parts.metrics_card import small_charts
from trainvitals_dashboard.parts.page import page, plainly
from trainvitals_dashboard.parts.run_body import body
from trainvitals_dashboard.parts.run_charts import HEAT_STATS, loss_key
from trainvitals_dashboard.parts.run_head import head
from trainvitals_dashboard.parts.zoom import zoom_store

Data = dict[str, Any]  # what browser stores hold
PARTS = (
    *(preflight.register_preflight, ranks.register_ranks, drawer.register_drawer, notes.register_notes),
    *(finding_acts.register_finding_acts, capture.register_capture, checklist.register_checklist),
)


def register(app: Dash, api: Api) -> None:
    """The page and its callbacks."""

    @plainly
    async def layout(run_id: str = "", stat: str = HEAT_STATS[0], **query: str) -> html.Div:
        view = await gather_run(api, run_at(run_id), stat=stat if stat in HEAT_STATS else HEAT_STATS[0], follow=True)
        finding, layer = query.get("finding", ""), layer_asked(query.get("layer", ""))
        summary, live = view.detail.summary, live_of(view.detail, finding=finding, layer=layer)
        return page([zoom_store(), *body(view, stat=stat)], crumbs=(summary.project, summary.name), live=live)

    dash.register_page(
        "trainvitals.run",
        path_template="/runs/<run_id>",
        layout=layout,
        title=lambda run_id="": f"{run_id} · trainvitals",
    )
    register_zoom(app, api)
    _register_numbers(app, api)
    _register_panels(app, api)
    for part in PARTS:
        part(app, api)


def _register_numbers(app: Dash, api: Api) -> None:
    @app.callback(
        Output("kpis", "children"),
        Output("metrics", "children"),
        Input("live-reload", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_numbers(_reload: Any, live: Data) -> tuple[Piece, Piece]:
        view = await gather_run(api, live["run"], stat=HEAT_STATS[0])
        return kpis(view.detail.summary, view.curves, loss=view.loss).children, small_charts(view)


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
