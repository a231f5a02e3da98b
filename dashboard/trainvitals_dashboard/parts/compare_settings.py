"""What became of several runs, and in which settings they differ: a table with a column for each run.

57-compare.js draws it: forty columns would be a thousand components, and Dash asks each at every change on the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from dash import dcc, html

from trainvitals.wire.answers import RunDetail
from trainvitals_dashboard import words
from trainvitals_dashboard.comparing import Compared
from trainvitals_dashboard.differences import Kind
from trainvitals_dashboard.parts.cards import Piece, card
from trainvitals_dashboard.parts.compare_curves import swatch_style
from trainvitals_dashboard.parts.health import score, state_of, told_health
from trainvitals_dashboard.theme import STATUS

MOST_ROWS: Final = 12  # of a kind; the others are named
Data = dict[str, Any]  # what browser stores hold


def settings_card(found: Compared, kinds: Sequence[Kind]) -> html.Section:
    """The outcome of each run, then the settings that differ, kind by kind. What is as in the baseline is dim."""
    different = sum(len(kind.settings) for kind in kinds)
    total = sum(kind.total for kind in kinds)
    same = [kind.name.lower() for kind in kinds if kind.total and not kind.settings]
    table = html.Div(
        id="compare-settings", className="tv-cmp-scroll", tabIndex=0, role="region", **{"aria-label": "Settings"}
    )
    parts: list[Piece] = [
        dcc.Store(id="compare-table", data=settings_table(found, kinds)),
        dcc.Store(id="compare-outcomes", data=outcome_rows(found)),
        dcc.Store(id="compare-drawn"),
        table,
    ]
    if same and len(found.details) > 1:
        parts.append(html.P(f"The same in all: {', '.join(same)}.", className="tv-cmp-same tv-sub"))
    return card("Settings that differ", parts, sub=f"{different} of {total}", name="tv-cmp-settings")


def settings_table(found: Compared, kinds: Sequence[Kind]) -> Data:
    """``runs``: the columns; ``base``: which of them is the baseline; ``kinds``: rows by kind, each a name and a word a
    run, None where the run has no such setting; ``more``: the names of further ones."""
    return {
        "runs": [
            {"name": name, "href": f"/runs/{quote(run_id, safe='')}", "key": swatch_style(found.places[run_id])}
            for run_id, name in found.names.items()
        ],
        "base": list(found.names).index(found.baseline),
        "kinds": [
            {
                "name": kind.name,
                "rows": [[setting.name, setting.words] for setting in kind.settings[:MOST_ROWS]],
                "more": [setting.name for setting in kind.settings[MOST_ROWS:]],
            }
            for kind in kinds
            if kind.settings
        ],
    }


def outcome_rows(found: Compared) -> list[list[Any]]:
    """Where each run stands: the metric's last value, the step, how it ended, the health; a name and what each run has
    of it: a word, or one with the token of its colour and a picture."""

    def last(detail: RunDetail) -> str:
        point = detail.summary.last.get(found.metrics[detail.summary.run_id])
        return words.number(point.value) if point else "not logged"

    def health(detail: RunDetail) -> dict[str, str]:
        token, picture, word = STATUS[state_of(told_health(detail.summary))]
        return {"word": score(detail.summary), "token": token, "picture": picture, "title": word}

    return [
        [f"{found.title}, last", [last(detail) for detail in found.details]],
        ["step", [f"{detail.summary.last_step or 0:,}" for detail in found.details]],
        ["status", [detail.summary.status for detail in found.details]],
        ["health", [health(detail) for detail in found.details]],
    ]
