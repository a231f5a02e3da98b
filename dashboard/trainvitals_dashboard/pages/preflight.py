"""A preflight that is made while its run's page is open."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State

from trainvitals_dashboard.api import Api
from trainvitals_dashboard.parts.frozen import drawn
from trainvitals_dashboard.parts.preflight_card import preflight_card


def register_preflight(app: Dash, api: Api) -> None:
    """The card is drawn anew when something was noted, and when the page is, as with the first metrics."""

    @app.callback(
        Output("preflight", "html"),
        Input("live-notes", "data"),
        Input("live-reload", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_preflight(_noted: Any, _reload: Any, live: dict[str, Any]) -> str:
        return drawn(preflight_card((await api.run(live["run"])).preflight))
