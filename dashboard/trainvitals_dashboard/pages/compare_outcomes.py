"""What became of the runs that are compared, against their settings; and what is missing of them."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State, no_update

from trainvitals_dashboard.differences import differing, numeric
from trainvitals_dashboard.kept_runs import KeptRuns
from trainvitals_dashboard.pages.compare_charts import Data, followed
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.compare_head import missing
from trainvitals_dashboard.parts.compare_outcomes import (
    left_out,
    parallel_figure,
    reading_of,
    scatter_figure,
    setting_of,
)


def register_outcomes(app: Dash, kept: KeptRuns) -> None:
    """Draw and say it anew as the runs go on, and as it is chosen."""

    @app.callback(
        Output("compare-missing", "children"),
        Input("compare-slower", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def say(_slower: Any, live: Data) -> list[Piece] | Any:  # Any: Dash's word for nothing new
        found = await followed(kept, live)
        return no_update if found is None else missing(found)

    @app.callback(
        Output("g-scatter", "figure"),
        Output("g-parallel", "figure"),
        Output("compare-left-out", "children"),
        Input("compare-setting", "value"),
        Input("compare-outcome", "value"),
        Input("compare-slower", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_outcomes(name: str, outcome: str, _slower: Any, live: Data) -> tuple[Any, ...]:
        found = await followed(kept, live)
        if found is None:
            return (no_update,) * 3
        settings, reading = numeric(differing(found.details)), reading_of(outcome)
        setting = setting_of(settings, name)
        assert setting is not None, "the select is there where a setting is"
        figures = scatter_figure(found, setting, reading), parallel_figure(found, settings, reading)
        return *figures, left_out(found, reading)
