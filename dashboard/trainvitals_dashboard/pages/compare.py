"""/compare?runs=a,b&metric=…&baseline=…: runs side by side; the URL is the state."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import dash
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html

from trainvitals_dashboard.api import Api
from trainvitals_dashboard.comparing import Compared, gather_comparison
from trainvitals_dashboard.differences import differing, numeric
from trainvitals_dashboard.kept_runs import KeptRuns
from trainvitals_dashboard.pages.compare_charts import register_charts, view_in
from trainvitals_dashboard.pages.compare_outcomes import register_outcomes
from trainvitals_dashboard.pages.compare_pair import pair_of, register_pair
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.compare_curves import curves_card
from trainvitals_dashboard.parts.compare_head import (
    THEIR_LOSS,
    baselines,
    head,
    metric_of,
    metrics,
    nothing_chosen,
    said,
)
from trainvitals_dashboard.parts.compare_outcomes import outcome_cards, reading_of
from trainvitals_dashboard.parts.compare_settings import settings_card
from trainvitals_dashboard.parts.page import page, plainly

Query = Mapping[str, str]
Data = dict[str, Any]  # what browser stores hold
INPUTS: Final = ("compare-runs", "compare-metric", "compare-baseline")


def register(app: Dash, api: Api) -> None:
    """The page and its callbacks."""
    kept = KeptRuns(api)

    @plainly
    async def layout(**query: str) -> html.Div:
        found, listed = await asyncio.gather(gathered(kept, query), api.runs(text="is:all"))
        body = html.Div(await body_of(api, found, query), id="compare-body", className="tv-col")
        choice = [head(listed, found, metric=query.get("metric", "")), dcc.Store(id="compare-asked")]
        return page([*choice, body], live=live_of(found, query))

    dash.register_page("trainvitals.compare", path="/compare", layout=layout, title="Compare · trainvitals")
    app.clientside_callback(
        ClientsideFunction("compare", "choose"),
        Output("compare-asked", "data"),
        *(Input(name, "value") for name in INPUTS),
        State("live-run", "data"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output("compare-body", "children"),
        Output("live-run", "data"),
        Output("compare-metric", "data"),
        Output("compare-baseline", "data"),
        Output("compare-baseline", "value"),
        Input("compare-asked", "data"),
        prevent_initial_call=True,
    )
    async def choose(query: Data) -> tuple[Any, ...]:
        found = await gathered(kept, query)
        body = await body_of(api, found, query)
        names = metrics(found, query.get("metric", ""))
        return body, live_of(found, query), names, baselines(found), found.baseline or None

    register_charts(app, kept)
    register_outcomes(app, kept)
    register_pair(app, kept)


async def gathered(kept: KeptRuns, query: Query) -> Compared:
    """The runs that an address names."""
    chosen = [name for name in query.get("runs", "").split(",") if name]
    return await gather_comparison(kept, chosen, metric=query.get("metric", ""), baseline=query.get("baseline", ""))


async def body_of(api: Api, found: Compared, query: Query) -> list[Piece]:
    """What stands below the choice of runs."""
    if not found.details:
        return [said(found), nothing_chosen()]
    kinds = differing(found.details)
    reading = reading_of(query.get("outcome", ""))
    outcomes = outcome_cards(found, numeric(kinds), setting=query.get("setting", ""), reading=reading)
    return [
        said(found),
        curves_card(found, view_in(query)),
        settings_card(found, kinds),
        *await pair_of(api, found, query.get("stat", "")),
        outcomes,
        *(dcc.Store(id=name) for name in ("compare-alive", "compare-slower")),
        dcc.Store(id="compare-kept"),  # among its inputs: else Dash would take a body that is new for a choice
    ]


def live_of(found: Compared, query: Query) -> Data:
    """What the page follows: the rows of these runs. ``alive``: those of them that are there."""
    metric = metric_of(found, query.get("metric", ""))
    return {
        "all": True,
        "compare": list(found.places),
        "alive": list(found.names),
        "metric": "" if metric == THEIR_LOSS else metric,
        "baseline": found.baseline,
    }
