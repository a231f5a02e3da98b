"""The ranks of a run beside one another, while they go on."""

from __future__ import annotations

import asyncio
from typing import Any

from dash import Dash, Input, Output, State, no_update

from trainvitals.wire.definitions import Definitions
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.comparison import compare
from trainvitals_dashboard.figures.lines import ranks
from trainvitals_dashboard.parts.ranks_card import choices, how_many, key, said


def register_ranks(app: Dash, api: Api) -> None:
    """The card, which only runs of several ranks have, is filled when it appears, and again as ranks tell more."""

    @app.callback(
        Output("g-ranks", "figure"),
        Output("ranks-said", "children"),
        Output("ranks-key", "children"),
        Output("ranks-sub", "children"),
        Output("ranks-metric", "data"),
        Output("ranks-metric", "value"),
        Input("ranks-metric", "value"),
        Input("live-ranks", "data"),
        Input("live-reload", "data"),
        State("live-run", "data"),
    )
    async def redraw_ranks(chosen: str | None, _told: Any, _reload: Any, live: dict[str, Any]) -> tuple[Any, ...]:
        detail, found = await asyncio.gather(api.run(live["run"]), api.rank_curves(live["run"], chosen or "loss"))
        offered = choices(found.metrics, Definitions(detail.notes.metrics))
        if chosen is None and offered and found.metric != offered[0]["value"]:
            found = await api.rank_curves(live["run"], offered[0]["value"])
        compared = compare(found.curves)
        return (
            ranks(found.curves, apart=list(compared.apart), metric=found.metric),
            said(found, compared),
            key(found, compared),
            how_many(found, ranks=detail.summary.ranks),
            offered,
            # news may have been on their way when somebody chose: they leave the choice alone
            no_update if chosen == found.metric else found.metric if offered else None,
        )
