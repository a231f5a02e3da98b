"""The checklist of a run, and what changed since the last healthy one, while the run's page is open."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State

from trainvitals_dashboard.api import Api
from trainvitals_dashboard.parts.changes_card import changes_card
from trainvitals_dashboard.parts.checklist_card import checklist_card
from trainvitals_dashboard.parts.frozen import drawn


def register_checklist(app: Dash, api: Api) -> None:
    """The checklist goes with the findings, with notes, and now and then; what changed goes with notes alone."""

    @app.callback(
        Output("checklist", "html"),
        Input("live-checklist", "data"),
        Input("live-findings", "data"),
        Input("live-notes", "data"),
        Input("live-reload", "data"),
        State("live-run", "data"),
    )
    async def redraw_checklist(_then: Any, _found: Any, _noted: Any, _reload: Any, live: dict[str, Any]) -> str:
        return drawn(checklist_card(await api.checklist(live["run"])))

    @app.callback(
        Output("changes", "html"),
        Input("live-notes", "data"),
        Input("live-reload", "data"),
        State("live-run", "data"),
    )
    async def redraw_changes(_noted: Any, _reload: Any, live: dict[str, Any]) -> str:
        return drawn(changes_card(await api.changes(live["run"])))
