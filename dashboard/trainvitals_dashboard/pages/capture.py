"""A close look, asked for on the run's page."""

from __future__ import annotations

import time
from typing import Any

from dash import Dash, Input, Output, State, ctx

from trainvitals_dashboard.api import Api, ApiError
from trainvitals_dashboard.parts.capture import is_offered, is_under_way, said


def register_capture(app: Dash, api: Api) -> None:
    """Ask on a click; say what becomes of it."""

    @app.callback(
        Output("capture", "hidden"),
        Output("capture-said", "children"),
        Output("capture-tick", "disabled"),
        Input("capture-ask", "n_clicks"),
        Input("capture-tick", "n_intervals"),
        Input("live-notes", "data"),
        Input("live-findings", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def follow_capture(
        _clicks: Any, _ticks: Any, _noted: Any, _found: Any, live: dict[str, Any]
    ) -> tuple[bool, str, bool]:
        refused = await _ask(api, live["run"]) if ctx.triggered_id == "capture-ask" else ""
        detail, now = await api.run(live["run"]), time.time()
        return not is_offered(detail), refused or said(detail, now=now), not is_under_way(detail, now=now)


async def _ask(api: Api, run_id: str) -> str:
    """What the server says where it refuses."""
    try:
        await api.ask_capture(run_id)
    except ApiError as error:
        return str(error)[:1].upper() + str(error)[1:]
    return ""
