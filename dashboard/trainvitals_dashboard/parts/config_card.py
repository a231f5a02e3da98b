"""All settings of a run, in groups by the first part of their names; a search leaves those that fit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import dash_mantine_components as dmc
from dash import dcc, html

from trainvitals_dashboard.parts.cards import Piece, card
from trainvitals_dashboard.parts.icons import icon
from trainvitals_dashboard.parts.settings_card import flat

Row = tuple[str, str]  # name and value
MANY: Final = 40  # rows of a group: more are folded in at first
HOW: Final = 'tv.init(config={"lr": 1e-3, "batch size": 64})'


def config_card(config: Mapping[str, Any], planned_steps: int | None = None) -> html.Section:  # Any: the user's own
    """Settings without a group first; nested ones beneath the name that they share."""
    if not config:
        how = ["Nothing is known of its settings. Pass them, nested as you like: ", html.Code(HOW), "."]
        return card("Configuration", html.Div(html.Span(how), className="tv-none"), name="tv-cf")
    loose = [(key, value) for key, value in config.items() if not _is_nested(value)]
    body = [rows_of(flat(dict(loose)))] if loose else []
    body += [_group(key, list(flat(value))) for key, value in config.items() if _is_nested(value)]
    said = [f"{sum(1 for _ in flat(config)):,} settings"]
    said += [f"{planned_steps:,} steps planned"] if planned_steps else []
    copy = html.Span(
        ["Copy as JSON", dcc.Clipboard(content=as_json(config), title="Copy as JSON", className="tv-cf-copy")],
        className="tv-cf-copies",
    )
    return card("Configuration", body, sub=" · ".join(said), right=copy, name="tv-cf")


def as_json(config: Mapping[str, Any]) -> str:  # Any: the user's own
    """As it was given; what JSON has no word for is as Python writes it."""
    return json.dumps(config, indent=2, ensure_ascii=False, default=str)


def search_bar(text: str) -> html.Div:
    """One search for all of the page."""
    search = dmc.TextInput(
        id="settings-text", value=text, placeholder="Search settings and packages", size="xs", className="tv-mt-search",
        **{"aria-label": "Search settings, packages and environment by name or value"},
    )  # fmt: skip
    count = html.Span(id="settings-count", className="tv-sub tv-num", role="status")
    return html.Div(html.Div([search, count], className="tv-mt-l"), className="tv-mt", role="search")


def rows_of(rows: Iterable[Row]) -> html.Dl:
    """Names and values, as the search finds them by ``data-setting``."""
    return html.Dl([_row(name, value) for name, value in rows], className="tv-cf-rows")


def _row(name: str, value: str) -> html.Div:
    return html.Div([html.Dt(name), html.Dd(value)], **{"data-setting": f"{name} {value}".lower()})


def _group(name: str, rows: Sequence[Row]) -> html.Details:
    head: list[Piece] = [html.Code(name), html.Span(f"{len(rows)}", className="tv-sub tv-num")]
    full = [
        html.Div([html.Dt(key), html.Dd(value)], **{"data-setting": f"{name}.{key} {value}".lower()})
        for key, value in rows
    ]
    return html.Details(
        [html.Summary(head), html.Dl(full, className="tv-cf-rows")],
        open=len(rows) <= MANY,
        className="tv-cf-group",
        **{"data-fold": f"config {name}"},
    )


def _is_nested(value: Any) -> bool:  # Any: the user's own
    return isinstance(value, Mapping) and bool(value)


def no_fit() -> html.P:
    """In place of all rows, where none fits the search."""
    return html.P(
        [icon("info-circle", 15), "Nothing here is called so."], id="settings-none", className="tv-none", hidden=True
    )
