"""The frame of one page: its live connection, where it is, and what stands in when the server cannot answer."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from http import HTTPStatus
from typing import Any, Final

from dash import dcc, html

from trainvitals_dashboard.api import ApiError
from trainvitals_dashboard.parts.cards import Piece, notice

Layout = Callable[..., Awaitable[html.Div]]


def page(body: Sequence[Piece], *, crumbs: Sequence[str] = (), live: dict[str, Any] | None = None) -> html.Div:
    """``live``: {"run": id} follows a run, {"all": True} the runs table; None follows nothing. With it goes the time,
    by the clock that all ages are told by."""
    trail = [part for name in crumbs for part in (html.Span("/", className="tv-slash"), html.Span(name))]
    stores = [
        dcc.Store(id="live-run", data={**(live or {}), "now": time.time()}),
        dcc.Store(id="live-findings"),
        dcc.Store(id="live-notes"),
        dcc.Store(id="live-ranks"),
        dcc.Store(id="live-checklist"),
        dcc.Store(id="live-reload"),
        dcc.Store(id="drawer-asked"),
    ]
    return html.Div([*stores, html.Div(trail, className="tv-crumbs"), *body], className="tv-page")


def plainly(layout: Layout) -> Layout:
    """The layout, or what the server said in its place."""

    @wraps(layout)
    async def guarded(**query: Any) -> html.Div:
        try:
            return await layout(**query)
        except ApiError as error:
            missing = error.status == HTTPStatus.NOT_FOUND
            title = "Not here" if missing else "The server cannot answer just now"
            text = str(error)[:1].upper() + str(error)[1:]
            said: Piece = [f"{text}.", *_ways_back(query)] if missing else text
            if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
                # by its mark the browser knows that the page is to be asked for again when the server is well
                said = [text, html.Br(), html.Span("The page comes by itself when that is over.", **{"data-again": ""})]
            return page([notice(title, said, kind="info" if missing else "critical", alone=True)])

    return guarded


RUNS: Final = ("all runs", "/")
RULES: Final = ("all rules", "/rules")


def ways_back(*ways: tuple[str, str]) -> list[Piece]:
    """ways_back(("all runs", "/"), …): links to where one may go on from."""
    links = [part for word, href in ways for part in (" or to ", dcc.Link(word, href=href))]
    return [" Go to ", *links[1:], "."]


def _ways_back(query: Mapping[str, Any]) -> list[Piece]:
    # a page's address names a run, or else a rule
    return ways_back(*([RUNS] if "run_id" in query else [RULES, RUNS]))
