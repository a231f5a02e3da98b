"""The page of a run's inside: the slider over the looks, the model's structure, the probe, and the chosen layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import dash_mantine_components as dmc
from dash import dcc, html

from trainvitals_dashboard.inside_view import InsideView
from trainvitals_dashboard.parts.cards import Piece, card
from trainvitals_dashboard.parts.icons import icon
from trainvitals_dashboard.parts.inside_examples import examples_card
from trainvitals_dashboard.parts.inside_layer import layer_pictures
from trainvitals_dashboard.parts.inside_tree import structure_card
from trainvitals_dashboard.parts.layer_rows import LayerRow

SNIPPET: Final = """run.watch(model, optimizer)
run.probe(next(iter(loader)))  # a few examples of one batch are kept

for inputs, labels in loader:
    ...                        # train as ever"""
MOST_MARKS: Final = 60  # notches at looks; 59-inside.js keeps to it, too


def whole(run_id: str, rows: Sequence[LayerRow], view: InsideView) -> list[Piece]:
    """All below the tabs."""
    structure = structure_card(run_id, rows, view)
    if not view.looks.steps:
        return [html.Div([structure, teaching()], className="tv-lgrid tv-in-grid tv-in-none")]
    right = [time_card(view), html.Div(pictures(run_id, rows, view), id="inside-body", className="tv-col")]
    columns = [html.Div(structure, className="tv-col"), html.Div(right, className="tv-col")]
    return [html.Div(columns, className="tv-lgrid tv-in-grid")]


def pictures(run_id: str, rows: Sequence[LayerRow], view: InsideView) -> list[Piece]:
    """The probe, and the layer."""
    is_layer = any(row.name == view.layer for row in rows)
    return [part for part in (examples_card(view), layer_pictures(view, run_id=run_id, is_layer=is_layer)) if part]


def time_card(view: InsideView) -> html.Section:
    """The slider: one place for each look."""
    steps = view.looks.steps
    at, last = steps.index(view.step), len(steps) - 1
    marks = [{"value": place} for place in range(len(steps))] if last < MOST_MARKS else []
    slider = dmc.Slider(
        id="inside-step", value=at, min=0, max=max(1, last), step=1, label=None, updatemode="drag", size="sm",
        disabled=last < 1, marks=marks, thumbLabel="Look, by its step", className="tv-in-slider",
    )  # fmt: skip
    told = html.Output(told_step(steps, at), id="inside-now", className="tv-num", **{"aria-live": "polite"})
    sub = "1 look" if last < 1 else f"{len(steps)} looks"
    count = html.Span(sub, id="inside-count", className="tv-sub")
    return card("After step", slider, sub=told, right=count, name="tv-in-time")


def told_step(steps: Sequence[int], at: int) -> str:
    """As 59-inside.js says it, too."""
    return f"{steps[at]:,}" + (", the newest" if at == len(steps) - 1 else "")


def teaching() -> html.Section:
    """How to look inside."""
    clipboard = dcc.Clipboard(target_id="inside-snippet", title="Copy", className="tv-copy")
    parts = [
        html.Span(icon("stack-2", 26), className="tv-accent"),
        html.H2("Nothing was looked at yet", className="tv-h1"),
        html.P(
            "Keep a few examples, and see here what each layer makes of them as the network learns: activation maps, "
            "filters, attention, and what its answer depends on. One line is enough; the training stays the same, "
            "bit by bit, and pictures come by themselves."
        ),
        html.Div([html.Pre(html.Code(SNIPPET, id="inside-snippet")), clipboard], className="tv-snippet"),
    ]
    return html.Section(parts, className="tv-card tv-empty", **{"aria-label": "How to look inside"})
