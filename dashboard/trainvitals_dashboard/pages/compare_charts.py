"""The curves of the page that compares runs, and the numbers beside them: drawn anew as they are chosen to be read, and
every few seconds as runs go on. What costs more follows "compare-slower", a few times a minute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, no_update, set_props

from trainvitals_dashboard.comparing import Compared, gather_comparison
from trainvitals_dashboard.kept_runs import KeptRuns
from trainvitals_dashboard.parts.compare_curves import CurveView, curves_figure, curves_title, run_numbers
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


async def followed(kept: KeptRuns, live: Data) -> Compared | None:
    """The runs of the page that is open. None where one of them was deleted meanwhile: then the whole page is asked for
    anew, for what is drawn of the others has other columns, and maybe another baseline."""
    found = await gather_comparison(kept, live["compare"], metric=live["metric"], baseline=live["baseline"])
    if list(found.names) == live["alive"]:
        return found
    set_props("compare-alive", {"data": list(found.names)})
    return None


def register_charts(app: Dash, kept: KeptRuns) -> None:
    """The callbacks of the curves, and those in the browser of all charts; what was chosen is kept in the address."""
    for function, inputs in {
        "curves": [("compare-as", "value"), ("compare-smooth", "checked"), ("compare-log", "checked")],
        "pair": [("compare-stat", "value")],
        "outcomes": [("compare-setting", "value"), ("compare-outcome", "value")],
        "numbers": [("compare-numbers", "data")],
        "slower": [("live-reload", "data")],
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
    app.clientside_callback(
        ClientsideFunction("compare", "alive"),
        Output("compare-kept", "data", allow_duplicate=True),
        Input("compare-alive", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    _register_curves(app, kept)


def _register_curves(app: Dash, kept: KeptRuns) -> None:
    @app.callback(
        Output("g-compare", "figure"),
        Output("compare-title", "children"),
        Output("compare-numbers", "data"),
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
        found = await followed(kept, live)
        if found is None:
            return (no_update,) * 4
        view = CurveView(differences=kind == "difference", smoothed=smooth, log=log, hidden=hidden)
        title = curves_title(found, view)
        return curves_figure(found, view), title, run_numbers(found), outcome_rows(found)
