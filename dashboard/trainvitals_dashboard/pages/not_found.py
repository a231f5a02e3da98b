"""What stands where there is no page."""

from __future__ import annotations

import dash
from dash import html

from trainvitals_dashboard.parts.cards import notice
from trainvitals_dashboard.parts.page import RULES, RUNS, page, ways_back


def register() -> None:
    """The page for every other address."""

    def layout(**_: str) -> html.Div:
        return page([notice("No such page", ways_back(RUNS, RULES), alone=True)])

    dash.register_page("not_found_404", layout=layout, title="No such page · trainvitals")
