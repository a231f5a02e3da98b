"""/runs/<run_id>/inside?layer=&step=&example=: what the network makes of a few examples; the URL is the state."""

from __future__ import annotations

import asyncio
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update

from trainvitals.wire.answers import RunDetail
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.inside_view import looks_of, view_of
from trainvitals_dashboard.pages.run_page import register_tab
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.inside_body import pictures, whole
from trainvitals_dashboard.parts.layer_rows import LayerRow, rows_of

Data = dict[str, Any]  # what browser stores hold


def register(app: Dash, api: Api) -> None:
    """The page and its callbacks."""

    async def body(detail: RunDetail, query: dict[str, str]) -> list[Piece]:
        run_id = detail.summary.run_id
        view, rows = await asyncio.gather(view_of(api, run_id, query), _rows(api, detail))
        return [
            dcc.Store(id="inside-steps", data=view.looks.steps),
            dcc.Store(id="inside-asked"),
            dcc.Store(id="inside-looked"),
            html.Div(whole(run_id, rows, view), id="inside-whole", className="tv-col"),
        ]

    register_tab(api, "inside", body)
    app.clientside_callback(
        ClientsideFunction("trainvitals", "insideStep"),
        Output("inside-now", "children"),
        Input("inside-step", "value"),
        State("inside-steps", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("trainvitals", "insideGrow"),
        *(Output("inside-step", name) for name in ("max", "marks", "disabled", "value")),
        Output("inside-count", "children"),
        Input("inside-steps", "data"),
        State("inside-step", "value"),
        prevent_initial_call=True,
    )
    _register_pictures(app, api)


def _register_pictures(app: Dash, api: Api) -> None:
    @app.callback(
        Output("inside-body", "children"),
        Input("inside-asked", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def draw(asked: Data, live: Data) -> list[Piece]:
        detail, view = await asyncio.gather(api.run(live["run"]), view_of(api, live["run"], asked))
        return pictures(live["run"], await _rows(api, detail), view)

    @app.callback(
        Output("inside-whole", "children"),
        Output("inside-steps", "data"),
        Input("inside-looked", "data"),
        Input("live-reload", "data"),
        State("inside-steps", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def grow(_looked: Any, _reload: Any, known: list[int], live: Data) -> tuple[Any, Any]:
        looks = await looks_of(api, live["run"])
        if looks.steps == known:
            return no_update, no_update
        if known:  # the slider grows by itself: 59-inside.js
            return no_update, looks.steps
        detail, view = await asyncio.gather(api.run(live["run"]), view_of(api, live["run"], {}, looks=looks))
        return whole(live["run"], await _rows(api, detail), view), looks.steps


async def _rows(api: Api, detail: RunDetail) -> list[LayerRow]:
    return rows_of(detail, await api.findings(detail.summary.run_id))
