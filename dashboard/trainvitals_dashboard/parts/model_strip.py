"""The model as a strip: one thin cell a layer, in the order of the forward pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from dash import html

from trainvitals_dashboard.parts.addresses import layer_path, layer_word
from trainvitals_dashboard.parts.cards import pill
from trainvitals_dashboard.parts.icons import icon
from trainvitals_dashboard.parts.layer_rows import NOT_RECORDED, LayerRow
from trainvitals_dashboard.theme import STATUS

WIDEST_CELL_PX: Final = 28  # of the few layers of a small model, or of a search


def model_strip(run_id: str, rows: Sequence[LayerRow]) -> html.Nav:
    """The worse a layer is the taller its cell, so that it is not told by colour alone."""
    width = {"maxWidth": WIDEST_CELL_PX * len(rows)}
    cells = [_cell(run_id, row) for row in rows]
    return html.Nav(cells, className="tv-lstrip", style=width, **{"aria-label": "Layers by health"})


def health_pills(rows: Sequence[LayerRow]) -> html.Span:
    """How many are in which state."""
    counts = Counter(row.state for row in rows)
    said = {"critical": "critical", "warning": "with a warning", "ok": "without findings"}
    pills = [pill(kind, f"{counts[kind]} {words}") for kind, words in said.items() if counts[kind]]
    if counts["unknown"]:
        token, picture, word = NOT_RECORDED
        text = html.Span(f"{counts['unknown']} not recorded")
        pills.append(html.Span([icon(picture, 13), text], className=f"tv-pill tv-{token}", title=word))
    return html.Span(pills, className="tv-pills")


def _cell(run_id: str, row: LayerRow) -> html.A:
    token, _, word = STATUS.get(row.state, NOT_RECORDED)
    said = f"{layer_word(row.name)} · {word}"
    return html.A(
        href=layer_path(run_id, row.name),
        className=f"tv-lcell tv-lcell-{row.state} tv-b-{token if row.state in STATUS else 'none'}",
        title=said,
        tabIndex=-1,  # the tree below has the same links
        **{"aria-label": said, "data-go": ""},
    )
