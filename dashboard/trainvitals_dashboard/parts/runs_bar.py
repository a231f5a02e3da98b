"""What stands above the table of runs: its title, the search, and the menus that 32-runs-menus.js fills."""

from __future__ import annotations

from typing import Final

import dash_mantine_components as dmc
from dash import html

from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.icons import icon

EXAMPLES: Final = (  # term, what it finds
    ("status:running", "runs that go on; also finished, stopped, failed, lost"),
    ("health:<60", "by a number: health, step, age (age:<2d)"),
    ("finding:any", "with an open finding; also a rule’s name, or critical"),
    ("tag:baseline", "by tag; project:, group:, name: and memo: likewise"),
    ("lr>0.01", "by a setting: <  <=  =  >=  >  !="),
    ("optimizer=adam*", "* stands for anything"),
    ("val_loss<0.5", "by the last value of a metric"),
    ("has:val_loss", "that have such a setting or metric"),
    ("-tag:old", "not this one"),
    ("is:archived", "those that were put aside; is:all for both"),
)
MENUS: Final = (  # name, word, icon
    ("group", "Group", "stack-2"),
    ("columns", "Columns", "columns-3"),
    ("views", "Views", "bookmark"),
)


def runs_bar(*, text: str, count: str) -> html.Div:
    """One row; on a phone two."""
    title = html.Div(
        [
            html.H1("Runs", className="tv-h1"),
            html.Span(count, id="runs-count", className="tv-sub tv-num", role="status"),
        ],
        className="tv-title",
    )
    menus = [_menu(name, word, picture) for name, word, picture in MENUS]
    return html.Div([title, _search(text), html.Div(menus, className="tv-rb-menus")], className="tv-rb")


def _search(text: str) -> html.Div:
    box = dmc.TextInput(
        id="runs-text",
        value=text,
        placeholder="Search, or status:running  lr>0.01",
        size="xs",
        leftSection=icon("search", 14),
        **{"aria-label": "Search"},
    )
    said = html.Div(id="runs-said", className="tv-rb-said", role="alert")
    return html.Div([box, _help(), said], className="tv-rb-search")


def _help() -> html.Details:
    rows: list[Piece] = [
        html.Button([html.Code(term), html.Span(meaning)], className="tv-rb-term", **{"data-term": term})
        for term, meaning in EXAMPLES
    ]
    foot = html.P('All of them must hold. Quote what has spaces: "batch size">=64.', className="tv-sub")
    panel = html.Div([html.H2("What can be searched for", className="tv-h3"), *rows, foot], className="tv-menu-p")
    label = {"aria-label": "What can be asked for"}
    return html.Details(
        [html.Summary(icon("help-circle", 15), title=label["aria-label"], **label), panel],
        className="tv-menu tv-rb-help",
    )


def _menu(name: str, word: str, picture: str) -> html.Details:
    summary = html.Summary([icon(picture, 15), html.Span(word)], className="tv-rb-b", id=f"runs-menu-{name}")
    panel = html.Div(id=f"runs-panel-{name}", className="tv-menu-p")
    return html.Details([summary, panel], className="tv-menu", **{"data-menu": name})
