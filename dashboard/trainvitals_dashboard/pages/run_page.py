"""What the pages of one run have in common: their address, their head, and the feed that they follow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import dash
from dash import Dash, Input, Output, State, html

from trainvitals.wire.answers import RunDetail
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.parts.addresses import run_at
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.page import page, plainly
from trainvitals_dashboard.parts.run_tabs import TABS, run_title, run_top

# Dash takes the first page whose template fits, and in one a variable fits slashes, too: the longest come first
LAYER_ORDER: Final = 0
TAB_ORDER: Final = 1
Body = Callable[[RunDetail, dict[str, str]], Awaitable[list[Piece]]]


def live_of(detail: RunDetail, *, finding: str = "", layer: str | None = None) -> dict[str, Any]:
    """What a page is told of the run that it follows; ``finding`` or ``layer``: one that is opened at once."""
    summary = detail.summary
    return {
        "run": summary.run_id,
        "since": detail.feed,
        "shown": [summary.status, summary.health, summary.little_known, summary.open_findings],
        "name": summary.name,
        "status": summary.status,
        "finding": finding or None,
        "layer": layer,
        "metrics": detail.metrics,
    }


def register_top(app: Dash, api: Api) -> None:
    """The head of all further pages of a run, whose status and health change while one looks."""

    @app.callback(
        Output("run-top", "children"),
        Input("live-findings", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_top(_found: Any, live: dict[str, Any]) -> list[Piece]:
        return run_title((await api.run(live["run"])).summary)


def register_tab(api: Api, tab: str, body: Body) -> None:
    """A page of every run at /runs/<run_id>/``tab``, which ``body`` fills: it is given the run, and the address's query
    by name."""

    @plainly
    async def layout(run_id: str = "", **query: str) -> html.Div:
        detail = await api.run(run_at(run_id), follow=True)
        whole = [*run_top(detail, tab), *await body(detail, query)]
        live = live_of(detail, finding=query.get("finding", ""))
        return page(whole, crumbs=(detail.summary.project, detail.summary.name), live=live)

    dash.register_page(
        f"trainvitals.run_{tab}",
        path_template=f"/runs/<run_id>/{tab}",
        layout=layout,
        order=TAB_ORDER,
        title=lambda run_id="": f"{TABS[tab]} of {run_id} · trainvitals",
    )
