"""/runs/<run_id>/layers/<layer>: one layer."""

from __future__ import annotations

import asyncio
from typing import Any

import dash
from dash import ALL, Dash, Input, Output, State, html, no_update

from trainvitals.wire.answers import Curve, RunDetail
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.inside_view import view_of
from trainvitals_dashboard.pages.absent import or_none
from trainvitals_dashboard.pages.layer_series import layer_curves, layer_histograms
from trainvitals_dashboard.pages.run_page import LAYER_ORDER, live_of
from trainvitals_dashboard.parts.addresses import layer_at, layer_word, layers_path, run_at, run_path
from trainvitals_dashboard.parts.cards import Piece, notice
from trainvitals_dashboard.parts.inside_layer import newest_look
from trainvitals_dashboard.parts.layer_body import layer_body, layer_card
from trainvitals_dashboard.parts.layer_charts import CHART, layer_charts, layer_distributions, newest_of, stat_figures
from trainvitals_dashboard.parts.layer_rows import rows_of
from trainvitals_dashboard.parts.layers_body import stats_of
from trainvitals_dashboard.parts.page import RUNS, page, plainly, ways_back
from trainvitals_dashboard.parts.run_tabs import run_top
from trainvitals_dashboard.parts.snapshot_table import numbers_of

Data = dict[str, Any]  # what browser stores hold


def register(app: Dash, api: Api) -> None:
    """The page and its callbacks."""

    @plainly
    async def layout(run_id: str = "", layer: str = "", finding: str = "", **_: str) -> html.Div:
        run_id, name = run_at(run_id), layer_at(layer)
        detail, found = await asyncio.gather(api.run(run_id, follow=True), api.findings(run_id))
        rows, summary = rows_of(detail, found), detail.summary
        crumbs = (summary.project, summary.name, layer_word(name))
        top, live = run_top(detail, "layers"), live_of(detail, finding=finding)
        if name not in {row.name for row in rows}:
            return page([*top, _nothing(run_id, name)], crumbs=crumbs, live=live)
        (curves, newest), histograms, inside = await asyncio.gather(
            _curves(api, detail, name), layer_histograms(api, run_id, name), view_of(api, run_id, {"layer": name})
        )
        body = layer_body(detail, rows, name, curves=curves, newest=newest, histograms=histograms)
        return page([*top, *body, *newest_look(inside, name, run_id=run_id)], crumbs=crumbs, live=live)

    dash.register_page(
        "trainvitals.run_layer",
        path_template="/runs/<run_id>/layers/<layer>",
        layout=layout,
        order=LAYER_ORDER,
        title=lambda run_id="", layer="": f"{layer_word(layer_at(layer))} of {run_id} · trainvitals",
    )
    _register_panels(app, api)


def _register_panels(app: Dash, api: Api) -> None:
    @app.callback(
        Output("layer-head", "children"),
        Input("live-findings", "data"),
        Input("live-reload", "data"),
        State("live-run", "data"),
        State("layer-name", "data"),
        prevent_initial_call=True,
    )
    async def redraw_head(_found: Any, _reload: Any, live: Data, layer: str) -> Piece:
        detail, found, snapshot = await asyncio.gather(
            api.run(live["run"]), api.findings(live["run"]), or_none(api.snapshot(live["run"]))
        )
        numbers = numbers_of(snapshot) if snapshot is not None else {}
        return layer_card(detail, rows_of(detail, found), layer, has_numbers=bool(numbers.get(layer)))

    @app.callback(
        Output("layer-charts", "children"),
        Output({"type": CHART, "stat": ALL}, "figure"),
        Input("live-checklist", "data"),  # now and then: most stats are not part of the feed
        Input("live-reload", "data"),
        State({"type": CHART, "stat": ALL}, "id"),
        State("live-run", "data"),
        State("layer-name", "data"),
        prevent_initial_call=True,
    )
    async def redraw_charts(_checklist: Any, _reload: Any, shown: list[Data], live: Data, layer: str) -> Any:
        curves, newest = await _curves(api, await api.run(live["run"]), layer)
        if {chart["stat"] for chart in shown} != set(curves):
            return layer_charts(layer, curves, newest), [no_update] * len(shown)
        figures = stat_figures(layer, curves, newest)
        return no_update, [figures[chart["stat"]] for chart in shown]

    @app.callback(
        Output("layer-distributions", "children"),
        Input("live-checklist", "data"),
        Input("live-reload", "data"),
        State("live-run", "data"),
        State("layer-name", "data"),
        prevent_initial_call=True,
    )
    async def redraw_distributions(_checklist: Any, _reload: Any, live: Data, layer: str) -> Piece:
        return layer_distributions(await layer_histograms(api, live["run"], layer))


async def _curves(api: Api, detail: RunDetail, layer: str) -> tuple[dict[str, Curve], dict[str, tuple[int, float]]]:
    """All stats of the layer, and the newest value of each."""
    run_id = detail.summary.run_id
    curves, snapshot = await asyncio.gather(
        layer_curves(api, run_id, layer, stats=stats_of(detail)), or_none(api.snapshot(run_id))
    )
    return curves, newest_of(layer, curves, snapshot)


def _nothing(run_id: str, layer: str) -> html.Div:
    ways = ways_back(("all layers", layers_path(run_id)), ("the run", run_path(run_id)), RUNS)
    return notice("No such layer", ["The run has no layer ", html.Code(layer_word(layer)), ".", *ways])
