"""The newest snapshot: a line for each layer, and what its open findings say of each number. 56-layers.js writes newer
numbers into it while one looks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from dash import html

from trainvitals.wire.answers import Snapshot
from trainvitals.wire.messages import Finding
from trainvitals_dashboard import words
from trainvitals_dashboard.parts.addresses import layer_path, layer_word
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.findings import title_of
from trainvitals_dashboard.parts.icons import icon
from trainvitals_dashboard.parts.layer_rows import LayerRow, mark
from trainvitals_dashboard.theme import STATUS

COLUMNS: Final = (
    "activation_mean", "activation_std", "zero_fraction", "grad_norm", "weight_norm", "update_ratio",
)  # fmt: skip
MOST_ROWS: Final = 100  # more would keep a browser busy for seconds
OF_PARAMETERS: Final = ("grad_", "weight_", "update_")  # how their stats begin


def snapshot_table(run_id: str, rows: Sequence[LayerRow], snapshot: Snapshot | None) -> list[Piece]:
    """The table; ``rows`` in the order in which they are shown."""
    if snapshot is None or not rows:
        text = "No snapshot was taken yet." if snapshot is None else "No layer is called so."
        return [html.Div(text, className="tv-none")]
    stats = [stat for stat in COLUMNS if stat in snapshot.stats]
    told = numbers_of(snapshot)
    head = html.Tr([html.Th("Layer", scope="col"), *(html.Th(words.stat(stat), scope="col") for stat in stats)])
    lines = [_line(run_id, row, stats, told.get(row.name, {})) for row in rows[:MOST_ROWS]]
    at = {"data-step": f"{snapshot.step:,}", "data-run": run_id}
    table = html.Table([html.Thead(head), html.Tbody(lines)], className="tv-table", **at)
    if len(rows) <= MOST_ROWS:
        return [table]
    more = f"{len(rows) - MOST_ROWS:,} more: search for a name, or sort by the worst, to see them."
    return [table, html.P(more, className="tv-sub")]


def step_of(snapshot: Snapshot | None) -> str:
    """When it was taken."""
    return f"step {snapshot.step:,}" if snapshot else ""


def numbers_of(snapshot: Snapshot) -> dict[str, dict[str, float | None]]:
    """Layer → stat → number; None where the layer has no such number. NaN stands for that, too, unless outputs, or
    gradients, were counted that are not finite."""
    stats = {stat: floats.tolist() for stat, floats in snapshot.stats.items()}
    told: dict[str, dict[str, float | None]] = {}
    for place, layer in enumerate(snapshot.layers):
        own = {stat: values[place] for stat, values in stats.items()}
        told[layer] = {
            stat: None if math.isnan(value) and not _is_bad(stat, own) else value for stat, value in own.items()
        }
    return told


def _is_bad(stat: str, own: Mapping[str, float]) -> bool:
    counted = "grad_nonfinite" if stat.startswith(OF_PARAMETERS) else "activation_nonfinite"
    return own.get(counted, 0.0) > 0


def _line(run_id: str, row: LayerRow, stats: Sequence[str], told: Mapping[str, float | None]) -> html.Tr:
    name = html.A(html.Bdi(layer_word(row.name)), href=layer_path(run_id, row.name), title=row.kind, **{"data-go": ""})
    first = html.Th(html.Div([mark(row.state, size=13), name], className="tv-snap-name"), scope="row")
    cells = [_number(stat, told.get(stat), speaking(row.findings, stat)) for stat in stats]
    return html.Tr([first, *cells], **{"data-snap": row.name, "data-goes": ""})


def _number(stat: str, value: float | None, finding: Finding | None) -> html.Td:
    if finding is None:
        return html.Td(words.number(value), **{"data-stat": stat})
    number = html.Span(words.number(value), **{"data-stat": stat})
    token, picture, word = STATUS[finding.severity]
    title = f"{word}: {title_of(finding.rule)}. {finding.summary}"
    button = html.Button(
        [icon(picture, 12), number],
        className=f"tv-snap-ill tv-{token}",
        title=title,
        **{"data-finding": finding.finding_id},
    )
    return html.Td(button)


def speaking(findings: Sequence[Finding], stat: str) -> Finding | None:
    """The gravest finding that was made by a stat."""
    return next((finding for finding in findings if finding.evidence.stat == stat), None)
