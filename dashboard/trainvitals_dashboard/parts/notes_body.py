"""The page of notes: what people wrote of a run, the place where they write, and what its script told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import dash_mantine_components as dmc
from dash import dcc, html

from trainvitals.wire.answers import RunDetail
from trainvitals.wire.journal import Journal, Written
from trainvitals_dashboard import words
from trainvitals_dashboard.parts.alerts import alerts_card
from trainvitals_dashboard.parts.cards import Piece, card
from trainvitals_dashboard.parts.config_card import rows_of
from trainvitals_dashboard.parts.icons import icon
from trainvitals_dashboard.parts.settings_card import flat

EARLIER: Final = 10  # versions that can be read again
HOW: Final = "Why was it started, what is expected of it, what was seen?"
ALERT: Final = 'run.alert("Low accuracy", "below 0.5")'
SUMMARY: Final = 'run.summary["best epoch"] = 7'


def body(detail: RunDetail, journal: Journal) -> list[Piece]:
    """What people wrote, and beside it what the script told."""
    edit = html.Button("Edit", id="notes-edit", className="tv-button tv-off", title="Write in Markdown")
    left = card(
        "Notes",
        [
            _memo(detail),
            html.Div(read_view(journal), id="notes-read"),
            html.Div(_editor(), id="notes-write", hidden=True),
        ],
        right=edit,
        name="tv-notes",
    )
    right = html.Div(told_by_script(detail), id="notes-script", className="tv-col")
    stores = {"notes-newest": newest_of(journal), "notes-base": None, "notes-mode": "", "notes-saved": None}
    return [
        *(dcc.Store(id=name, data=data) for name, data in stores.items()),
        html.Div([html.Div(left, className="tv-col"), right], className="tv-grid tv-notespage"),
    ]


def _memo(detail: RunDetail) -> html.P:
    memo, row = detail.summary.memo.strip(), f"/?text={quote(f'id:{detail.summary.run_id} is:all')}"
    table = dcc.Link("the table of runs", href=row, title="To this run's row, where the memo is written")
    if not memo:
        return html.P(["A memo of a line or two can be written in ", table, "."], className="tv-sub tv-notes-memo")
    told = [html.B("Memo "), memo, html.Span([" · of ", table], className="tv-sub")]
    return html.P(told, className="tv-notes-memo")


def newest_of(journal: Journal) -> dict[str, Any]:  # Any: what a browser's store holds
    """What the editor begins with, and is held against."""
    return {"version": journal.now.version, "text": journal.now.text, "by": journal.now.by}


def read_view(journal: Journal) -> list[Piece]:
    """As it is read, with who wrote it and when, and the versions before it folded in."""
    now, before = journal.now, [one for one in journal.before if one.text.strip()]
    if now.text.strip():
        whole: list[Piece] = [markdown(now.text), html.P(_when(now), className="tv-sub tv-notes-when")]
    else:
        said = [html.B("Nobody has written about this run yet."), html.Span(HOW)]
        whole = [html.Div(said, className="tv-notes-empty")]
    if before:
        inside = [html.Summary(f"{len(before)} earlier"), *map(_earlier, before)]
        whole.append(html.Details(inside, className="tv-details", **{"data-fold": "notes earlier"}))
    return whole


def markdown(text: str, name: str = "") -> dcc.Markdown:
    """As people wrote it; HTML stays text, so that no script comes in."""
    named = {"id": name} if name else {}
    return dcc.Markdown(text, className="tv-prose", dedent=False, link_target="_blank", **named)


def theirs(newest: Written) -> list[Piece]:
    """What somebody else wrote meanwhile."""
    said = (
        f"{newest.by[:1].upper()}{newest.by[1:]} wrote meanwhile ({_when(newest)}). Yours is above, and not saved yet."
    )
    return [html.P([icon("alert-triangle", 16), said], className="tv-notes-said tv-warn"), markdown(newest.text)]


def told_by_script(detail: RunDetail) -> list[Piece]:
    """Its alerts, the newest first, and its summary."""
    alerts = alerts_card(detail.notes.alerts)
    summary = list(flat(detail.notes.summary))
    return [
        alerts or _none("Alerts", "The script has told nothing. It does so with ", ALERT),
        card("Summary", rows_of(summary), sub=f"{len(summary)}", name="tv-or")
        if summary
        else _none("Summary", "The script has set no results. It does so with ", SUMMARY),
    ]


def _editor() -> list[Piece]:
    text = dmc.Textarea(
        id="notes-text", autosize=True, minRows=14, maxRows=40, placeholder=HOW, value="",
        **{"aria-label": "Notes, in Markdown"},
    )  # fmt: skip
    preview = html.Div(
        markdown("", "notes-preview"), className="tv-notes-preview", **{"aria-label": "As it will be read"}
    )
    by = dmc.TextInput(
        id="notes-by", placeholder="Your name", size="xs", persistence=True, persistence_type="local",
        **{"aria-label": "Your name"},
    )  # fmt: skip
    acts: Sequence[Piece] = [
        html.Button("Save", id="notes-save", className="tv-button", title="Ctrl+Enter"),
        html.Button("Cancel", id="notes-cancel", className="tv-button tv-off"),
        by,
        html.Span("Markdown · Ctrl+Enter saves", id="notes-hint", className="tv-sub"),
    ]
    conflict = [
        html.Div(id="notes-theirs"),
        html.Div(
            [
                html.Button("Put it beneath mine", id="notes-join", className="tv-button tv-off"),
                html.Button(
                    "Save mine in its place", id="notes-over", className="tv-button tv-off",
                    title="Theirs stays among the earlier versions",
                ),
            ],
            className="tv-acts",
        ),
    ]  # fmt: skip
    return [
        html.Div([text, preview], className="tv-notes-two"),
        html.Div(acts, className="tv-acts tv-notes-acts"),
        html.Div(id="notes-refused", className="tv-crit", role="alert"),
        html.Div(conflict, id="notes-conflict", className="tv-notes-conflict", role="alert", hidden=True),
    ]


def _earlier(one: Written) -> html.Details:
    return html.Details([html.Summary(_when(one)), markdown(one.text)], className="tv-notes-version")


def _when(one: Written) -> str:
    return f"version {one.version}, by {one.by}, {words.duration(max(0.0, time.time() - one.at))} ago"


def _none(title: str, said: str, code: str) -> html.Section:
    return card(title, html.Div(html.Span([said, html.Code(code), "."]), className="tv-none"), name="tv-or")
