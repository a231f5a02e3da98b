"""The charts of the page that compares runs, drawn anew as they are chosen to be read, and as runs go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State

from trainvitals_dashboard.api import Api
from trainvitals_dashboard.comparing import Compared, gather_comparison
from trainvitals_dashboard.differences import differing, numeric
from trainvitals_dashboard.parts.compare_curves import CurveView, curves_figure, curves_title, run_list
from trainvitals_dashboard.parts.compare_outcomes import (
    left_out,
    parallel_figure,
    reading_of,
    scatter_figure,
    setting_of,
)
from trainvitals_dashboard.parts.compare_settings import outcome_rows

Data = dict[str, Any]  # what browser stores hold


def view_in(query: Mapping[str, str]) -> CurveView:
    """How an address has the curves read."""
    return CurveView(
        differences=query.get("show") == "difference",
        smoothed=query.get("smooth") != "0",
        log={"1": True, "0": False}.get(query.get("log", "")),
        hidden=[name for name in query.get("hidden", "").split(",") if name],
    )


async def followed(api: Api, live: Data) -> Compared:
    """The runs of the page that is open."""
    return await gather_comparison(api, live["compare"], metric=live["metric"], baseline=live["baseline"])


def register_charts(app: Dash, api: Api) -> None:
    """The callbacks of all charts; what was chosen is kept in the address."""
    for function, inputs in {
        "curves": [("compare-as", "value"), ("compare-smooth", "checked"), ("compare-log", "checked")],
        "pair": [("compare-stat", "value")],
        "outcomes": [("compare-setting", "value"), ("compare-outcome", "value")],
    }.items():
        app.clientside_callback(
            ClientsideFunction("compare", function),
            Output("compare-kept", "data", allow_duplicate=True),
            *(Input(*one) for one in inputs),
            prevent_initial_call=True,
        )
    app.clientside_callback(
        ClientsideFunction("compare", "table"),
        Output("compare-drawn", "data"),
        Input("compare-table", "data"),
        Input("compare-outcomes", "data"),
    )
    _register_curves(app, api)
    _register_outcomes(app, api)


def _register_curves(app: Dash, api: Api) -> None:
    @app.callback(
        Output("g-compare", "figure"),
        Output("compare-title", "children"),
        Output("compare-list", "children"),
        Output("compare-outcomes", "data"),
        Input("live-reload", "data"),
        Input("compare-as", "value"),
        Input("compare-smooth", "checked"),
        Input("compare-log", "checked"),
        State("compare-hidden", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw(
        _reload: Any, kind: str, smooth: bool, log: bool, hidden: list[str], live: Data
    ) -> tuple[Any, ...]:
        found = await followed(api, live)
        view = CurveView(differences=kind == "difference", smoothed=smooth, log=log, hidden=hidden)
        title = curves_title(found, view)
        return curves_figure(found, view), title, run_list(found, hidden), outcome_rows(found)


def _register_outcomes(app: Dash, api: Api) -> None:
    @app.callback(
        Output("g-scatter", "figure"),
        Output("g-parallel", "figure"),
        Output("compare-left-out", "children"),
        Input("compare-setting", "value"),
        Input("compare-outcome", "value"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_outcomes(name: str, outcome: str, live: Data) -> tuple[Any, ...]:
        found = await followed(api, live)
        settings, reading = numeric(differing(found.details)), reading_of(outcome)
        setting = setting_of(settings, name)
        assert setting is not None, "the select is there where a setting is"
        figures = scatter_figure(found, setting, reading), parallel_figure(found, settings, reading)
        return *figures, left_out(found, reading)
