"""What the page that compares runs tells of two alone: where they part, and their layers held against each other."""

from __future__ import annotations

import asyncio
from typing import Any

from dash import Dash, Input, Output, State

from trainvitals.wire.answers import Heatmap
from trainvitals_dashboard.api import Api, ApiError
from trainvitals_dashboard.comparing import Compared
from trainvitals_dashboard.pages.compare_charts import Data, followed
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.compare_pair import (
    drawn,
    first_stat,
    pair_bar,
    pair_card,
    pair_said,
    parting_card,
    stats_of_both,
)


async def pair_of(api: Api, found: Compared, stat: str) -> list[Piece]:
    """What is told of two runs alone: where they part, and their layers held against each other."""
    if len(found.details) != 2:
        return []
    stat = first_stat(stats_of_both(found), stat)
    now = found.others[0].summary.run_id
    changes, heatmaps = await asyncio.gather(api.changes(now, against=found.baseline), heatmaps_of(api, found, stat))
    return [parting_card(found, changes), pair_card(found, stat, heatmaps)]


async def heatmaps_of(api: Api, found: Compared, stat: str) -> tuple[Heatmap, Heatmap] | None:
    """Now and then; None where one of them has no such stat."""
    if not stat:
        return None
    try:
        now, then = await asyncio.gather(
            api.heatmap(found.others[0].summary.run_id, stat), api.heatmap(found.baseline, stat)
        )
    except ApiError as error:
        if error.status >= 500:
            raise
        return None
    return now, then


def register_pair(app: Dash, api: Api) -> None:
    """Draw the heatmap anew when another stat is chosen."""

    @app.callback(
        Output("g-pair", "figure"),
        Output("pair-bar", "children"),
        Output("pair-said", "children"),
        Input("compare-stat", "value"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_pair(stat: str, live: Data) -> tuple[Any, ...]:
        found = await followed(api, live)
        heatmaps = await heatmaps_of(api, found, stat)
        if heatmaps is None:
            raise ApiError(f"the runs have no {stat} any more", status=404)
        ratio, scale, figure = drawn(found, stat, heatmaps)
        return figure, pair_bar(ratio, scale), pair_said(found, ratio, scale, heatmaps)
