"""/runs/<run_id>/layers: all layers of a run; the search, the order and the stat are in the address."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update, set_props

from trainvitals.wire.answers import RunDetail
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.pages.layer_series import layers_view
from trainvitals_dashboard.pages.run_page import register_tab
from trainvitals_dashboard.parts import layers_body
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.frozen import drawn
from trainvitals_dashboard.parts.layers_body import (
    heat_bar,
    heat_figure,
    model_lists,
    newest_numbers,
    stat_choices,
    stat_chosen,
    stat_of,
)

Data = dict[str, Any]  # what browser stores hold
Drawn = tuple[go.Figure, Piece, list[dict[str, str]]]  # heatmap, colour bar, choices


def register(app: Dash, api: Api) -> None:
    """The page and its callbacks."""

    async def body(detail: RunDetail, query: dict[str, str]) -> list[Piece]:
        stat = stat_of(detail, query.get("stat", ""))
        view = await layers_view(api, detail, stat=stat, text=query.get("text", ""), order=query.get("order", ""))
        whole = layers_body.body(view)
        return whole if view.rows else [html.Div(whole, id="layers-none"), dcc.Store(id="layers-asked", data=query)]

    register_tab(api, "layers", body)
    app.clientside_callback(
        ClientsideFunction("trainvitals", "layersChosen"),
        Output("layers-text", "size"),
        Input("layers-stat", "value"),
        Input("layers-text", "value"),
        Input("layers-order", "value"),
        prevent_initial_call=True,
    )
    _register_panels(app, api)

    @app.callback(
        Output("layers-none", "children"),
        Output("layers-asked", "data"),
        Input("live-checklist", "data"),  # now and then: no update tells that the model was declared
        Input("live-reload", "data"),
        State("layers-asked", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def begin(_checklist: Any, _reload: Any, asked: dict[str, str] | None, live: Data) -> tuple[Any, Any]:
        if asked is None:
            return no_update, no_update  # begun: from then on the panels follow by themselves
        detail = await api.run(live["run"])
        if not detail.layers and not detail.recorded_layers:
            return no_update, no_update
        return await body(detail, asked), None


def _register_panels(app: Dash, api: Api) -> None:
    @app.callback(
        Output("g-layers-heat", "figure"),
        Output("layers-heat-bar", "children"),
        Output("layers-stat", "data"),
        Input("layers-stat", "value"),
        Input("layers-text", "value"),
        Input("live-checklist", "data"),  # now and then: most stats are not part of the feed
        Input("live-reload", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_heat(stat: str | None, text: str, _checklist: Any, _reload: Any, live: Data) -> Drawn:
        detail = await api.run(live["run"])
        view = await layers_view(api, detail, stat=stat_of(detail, stat or ""), text=text)
        if (chosen := stat_chosen(view)) != stat:
            # no output: whatever else takes the choice, as the address does, would wait until the heatmap is drawn
            set_props("layers-stat", {"value": chosen})
        figure = heat_figure(view)
        return figure, heat_bar(view, figure), stat_choices(detail)

    @app.callback(
        Output("layers-strip", "html"),
        Output("layers-count", "children"),
        Output("layers-tree", "html"),
        Input("layers-text", "value"),
        Input("layers-order", "value"),
        Input("live-findings", "data"),
        Input("live-reload", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_lists(text: str, order: str, _found: Any, _reload: Any, live: Data) -> tuple[Piece, ...]:
        strip, count, tree = model_lists(await layers_view(api, await api.run(live["run"]), text=text, order=order))
        return drawn(strip), count, drawn(tree)

    @app.callback(
        Output("layers-step", "children"),
        Output("layers-table", "html"),
        Input("layers-text", "value"),
        Input("layers-order", "value"),
        Input("live-findings", "data"),
        Input("live-checklist", "data"),
        Input("live-reload", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_table(text: str, order: str, _found: Any, _then: Any, _reload: Any, live: Data) -> tuple[Any, str]:
        step, table = newest_numbers(await layers_view(api, await api.run(live["run"]), text=text, order=order))
        return step, drawn(table)
