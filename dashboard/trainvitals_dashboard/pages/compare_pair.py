"""What the page that compares runs tells of two alone: where they part, and their layers held against each other."""

from __future__ import annotations

import asyncio
from typing import Any

from dash import Dash, Input, Output, State, html, no_update

from trainvitals.wire.answers import Heatmap
from trainvitals_dashboard.api import Api, ApiError
from trainvitals_dashboard.comparing import Compared
from trainvitals_dashboard.kept_runs import KeptRuns
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
    parting, heatmaps = await asyncio.gather(parting_of(api, found), heatmaps_of(api, found, stat))
    return [html.Div(parting, id="compare-parting"), pair_card(found, stat, heatmaps)]


async def parting_of(api: Api, found: Compared) -> Piece:
    """Where two runs part."""
    return parting_card(found, await api.changes(found.others[0].summary.run_id, against=found.baseline))


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


def register_pair(app: Dash, kept: KeptRuns) -> None:
    """Draw the heatmap anew when another stat is chosen, and as the runs go on; then also say where they part."""

    @app.callback(
        Output("compare-parting", "children"),
        Input("compare-slower", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def part(_slower: Any, live: Data) -> Any:  # Any: Dash's word for nothing new
        found = await followed(kept, live)
        return no_update if found is None else await parting_of(kept.api, found)

    @app.callback(
        Output("g-pair", "figure"),
        Output("pair-bar", "children"),
        Output("pair-said", "children"),
        Input("compare-stat", "value"),
        Input("compare-slower", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_pair(stat: str, _slower: Any, live: Data) -> tuple[Any, ...]:
        found = await followed(kept, live)
        if found is None:
            return (no_update,) * 3
        heatmaps = await heatmaps_of(kept.api, found, stat)
        if heatmaps is None:
            raise ApiError(f"the runs have no {stat} any more", status=404)
        ratio, scale, figure = drawn(found, stat, heatmaps)
        return figure, pair_bar(ratio, scale), pair_said(found, ratio, scale, heatmaps)
