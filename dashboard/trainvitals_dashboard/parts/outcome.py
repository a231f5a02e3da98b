"""What became of several runs, and in which settings they differ."""

from __future__ import annotations

from collections.abc import Sequence

from dash import dcc, html

from trainvitals.wire.answers import RunDetail
from trainvitals_dashboard import words
from trainvitals_dashboard.parts.cards import Piece, card, pill
from trainvitals_dashboard.parts.health import score, state_of, told_health
from trainvitals_dashboard.theme import SERIES


def outcome(details: Sequence[RunDetail], metric: str) -> html.Table:
    """Where each run stands: the metric's last value, the step, the health."""
    head = html.Thead(html.Tr([html.Th(word) for word in ("Run", words.metric(metric), "Step", "Health")]))
    rows = []
    for index, detail in enumerate(details):
        summary = detail.summary
        last = summary.last.get(metric)
        name = html.Td([_mark(index), dcc.Link(summary.name, href=f"/runs/{summary.run_id}")])
        health = pill(state_of(told_health(summary)), score(summary))
        cells = [words.number(last.value if last else None), f"{summary.last_step or 0:,}", health]
        rows.append(html.Tr([name, *(html.Td(cell) for cell in cells)]))
    return html.Table([head, html.Tbody(rows)], className="tv-table")


def differences(details: Sequence[RunDetail]) -> list[Piece]:
    """A card of the settings that are not the same in all runs; none where there is no such setting."""
    keys = sorted({key for detail in details for key in detail.config})
    different = [key for key in keys if len({repr(detail.config.get(key)) for detail in details}) > 1]
    if not different:
        return []
    rows = [
        html.Tr([html.Td(html.Code(key)), *(html.Td(html.Code(_setting(detail, key))) for detail in details)])
        for key in different
    ]
    runs = [
        html.Th([_mark(index), detail.summary.name], title=detail.summary.name) for index, detail in enumerate(details)
    ]
    table = html.Table([html.Thead(html.Tr([html.Th("Setting"), *runs])), html.Tbody(rows)], className="tv-table")
    return [card("Settings that differ", table, sub=f"{len(different)} of {len(keys)}", name="tv-outcome")]


def _mark(index: int) -> html.I:
    """The colour of a run's curve."""
    return html.I(className="tv-sw", style={"--c": f"var(--tv-{SERIES[index % len(SERIES)]})"})


def _setting(detail: RunDetail, key: str) -> str:
    return str(detail.config[key]) if key in detail.config else "–"
