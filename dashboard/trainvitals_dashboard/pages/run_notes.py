"""/runs/<run_id>/notes: what people wrote of the run."""

from __future__ import annotations

from dash import Dash

from trainvitals.wire.answers import RunDetail
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.pages.run_page import register_tab
from trainvitals_dashboard.parts.cards import Piece


def register(app: Dash, api: Api) -> None:
    """The page and its callbacks."""

    async def body(detail: RunDetail, query: dict[str, str]) -> list[Piece]:
        return []

    register_tab(api, "notes", body)
