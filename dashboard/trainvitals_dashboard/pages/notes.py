"""What a script notes while its page is open."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State

from trainvitals_dashboard.api import Api
from trainvitals_dashboard.gathering import gather_run
from trainvitals_dashboard.parts.alerts import alerts_card
from trainvitals_dashboard.parts.frozen import drawn
from trainvitals_dashboard.parts.results import results
from trainvitals_dashboard.parts.run_charts import HEAT_STATS
from trainvitals_dashboard.parts.settings_card import settings_card


def register_notes(app: Dash, api: Api) -> None:
    """Alerts and settings are drawn anew when there are notes, and not with every finding: who reads them, reads on."""

    @app.callback(
        Output("alerts", "html"),
        Output("settings", "html"),
        Input("live-notes", "data"),
        Input("live-reload", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_notes(_noted: Any, _reload: Any, live: dict[str, Any]) -> tuple[str, str]:
        view = await gather_run(api, live["run"], stat=HEAT_STATS[0])
        return drawn(alerts_card(view.detail.notes.alerts)), drawn(settings_card(view.detail, results(view)))
