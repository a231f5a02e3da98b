"""The way between the pages of one run."""

from __future__ import annotations

from typing import Final

from dash import html

from trainvitals.wire.answers import RunDetail, RunSummary
from trainvitals_dashboard.parts.addresses import run_path
from trainvitals_dashboard.parts.cards import Piece, pill
from trainvitals_dashboard.parts.health import score, state_of, told_health
from trainvitals_dashboard.theme import STATUS

TABS: Final = {
    "": "Overview",
    "findings": "Findings",
    "layers": "Layers",
    "inside": "Inside",
    "metrics": "Metrics",
    "settings": "Settings",
    "system": "System",
    "notes": "Notes",
}


def run_tabs(run_id: str, tab: str = "") -> html.Nav:
    """Links to the pages of a run; ``tab``: the one that is open."""
    links = [
        html.A(  # dcc.Link takes no aria-current
            word,
            href=f"{run_path(run_id)}/{name}".rstrip("/"),
            className="tv-tab on" if name == tab else "tv-tab",
            **{"data-go": ""},
            **({"aria-current": "page"} if name == tab else {}),
        )
        for name, word in TABS.items()
    ]
    return html.Nav(links, className="tv-tabs", **{"aria-label": "Pages of the run"})


def run_top(detail: RunDetail, tab: str) -> list[html.Div | html.Nav]:
    """The head of a run's further pages: the way to the others, above all else so that it stands at one height on each,
    then its name, status and health in one line."""
    return [
        run_tabs(detail.summary.run_id, tab),
        html.Div(run_title(detail.summary), id="run-top", className="tv-title"),
    ]


def run_title(summary: RunSummary) -> list[Piece]:
    """Name, status and health."""
    token = STATUS[state_of(told_health(summary))][0]
    health = html.Span(["Health ", html.B(score(summary), className=f"tv-num tv-{token}")], className="tv-sub")
    return [html.H1(summary.name, className="tv-h1"), pill(summary.status), health]
