"""What became of several runs, and in which settings they differ: a table with a column for each run."""

from __future__ import annotations

from collections.abc import Sequence

from dash import dcc, html

from trainvitals.wire.answers import RunDetail
from trainvitals_dashboard import words
from trainvitals_dashboard.comparing import Compared
from trainvitals_dashboard.differences import Kind, Setting
from trainvitals_dashboard.parts.cards import Piece, card, pill
from trainvitals_dashboard.parts.compare_curves import swatch
from trainvitals_dashboard.parts.health import score, state_of, told_health

MOST_ROWS = 12  # of a kind; the others are folded in


def settings_card(found: Compared, kinds: Sequence[Kind]) -> html.Section:
    """The outcome of each run, then the settings that differ, kind by kind. What is as in the baseline is dim."""
    different = sum(len(kind.settings) for kind in kinds)
    total = sum(kind.total for kind in kinds)
    head = html.Thead(
        html.Tr([html.Th("", scope="col"), *(_run(found, detail) for detail in found.details)]),
    )
    body = [html.Tbody(outcome_rows(found), id="compare-outcomes")]
    body += [html.Tbody(_rows(kind, found)) for kind in kinds if kind.settings]
    table = html.Table([head, *body], className="tv-cmp-table")
    scrolled = html.Div(table, className="tv-cmp-scroll", tabIndex=0, role="region", **{"aria-label": "Settings"})
    same = [kind.name.lower() for kind in kinds if kind.total and not kind.settings]
    parts: list[Piece] = [scrolled]
    if same and len(found.details) > 1:
        parts.append(html.P(f"The same in all: {', '.join(same)}.", className="tv-cmp-same tv-sub"))
    return card("Settings that differ", parts, sub=f"{different} of {total}", name="tv-cmp-settings")


def _run(found: Compared, detail: RunDetail) -> html.Th:
    run_id = detail.summary.run_id
    name = dcc.Link(found.names[run_id], href=f"/runs/{run_id}", title=found.names[run_id])
    base = [html.Span("baseline", className="tv-cmp-base")] if run_id == found.baseline else []
    return html.Th(html.Div([swatch(found.places[run_id]), name, *base], className="tv-cmp-col"), scope="col")


def outcome_rows(found: Compared) -> list[html.Tr]:
    """Where each run stands: the metric's last value, the step, how it ended, the health."""

    def last(detail: RunDetail) -> Piece:
        point = detail.summary.last.get(found.metrics[detail.summary.run_id])
        return words.number(point.value) if point else "not logged"

    def health(detail: RunDetail) -> Piece:
        return pill(state_of(told_health(detail.summary)), score(detail.summary))

    rows = {
        f"{found.title}, last": last,
        "step": lambda detail: f"{detail.summary.last_step or 0:,}",
        "status": lambda detail: detail.summary.status,
        "health": health,
    }
    cells = {name: [html.Td(of(detail)) for detail in found.details] for name, of in rows.items()}
    return [html.Tr([html.Th(name, scope="row"), *told]) for name, told in cells.items()]


def _rows(kind: Kind, found: Compared) -> list[html.Tr]:
    columns = [detail.summary.run_id for detail in found.details]
    base = columns.index(found.baseline)
    title = html.Tr(html.Th(kind.name, scope="rowgroup", colSpan=len(columns) + 1), className="tv-cmp-kind")
    shown = kind.settings[:MOST_ROWS]
    more = len(kind.settings) - len(shown)
    rows = [title, *(_row(setting, base) for setting in shown)]
    if more > 0:
        names = ", ".join(setting.name for setting in kind.settings[MOST_ROWS:])
        said = html.Td(f"{more} more: {names}", colSpan=len(columns) + 1, className="tv-cmp-more")
        rows.append(html.Tr(said))
    return rows


def _row(setting: Setting, base: int) -> html.Tr:
    usual = setting.words[base]
    cells = [
        html.Td(
            "–" if word is None else word,
            title=word or "not set",
            className="tv-dim" if word == usual and place != base else "",
        )
        for place, word in enumerate(setting.words)
    ]
    return html.Tr([html.Th(setting.name, scope="row", title=setting.name), *cells])
