"""The page of all layers of a run: a strip and a tree of the model, a heatmap of any stat, the newest numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import dash_mantine_components as dmc
import plotly.graph_objects as go
from dash import html

from trainvitals.wire.answers import FindingList, Heatmap, RunDetail, Snapshot
from trainvitals_dashboard import words
from trainvitals_dashboard.figures.heat import empty, heat, rows_of
from trainvitals_dashboard.parts import layer_rows
from trainvitals_dashboard.parts.cards import Piece, card, graph
from trainvitals_dashboard.parts.colorbar import heat_key
from trainvitals_dashboard.parts.frozen import frozen
from trainvitals_dashboard.parts.health import ENDED
from trainvitals_dashboard.parts.layer_rows import ORDERS, LayerRow, Order, picked
from trainvitals_dashboard.parts.model_strip import health_pills, model_strip
from trainvitals_dashboard.parts.model_tree import flat_list, model_tree
from trainvitals_dashboard.parts.snapshot_table import snapshot_table, step_of

HEAT_HEIGHT_PX: Final = (220, 560)
ROW_PX: Final = 11
FIRST_CHOICE: Final = "update_ratio"
NO_LAYERS: Final = (
    "Stats of layers come from watching the model: call run.watch(model, optimizer) before the training's loop. "
    "This page fills by itself."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersView:
    """What the page shows. ``text``, ``order`` and ``stat`` are what was chosen."""

    detail: RunDetail
    found: FindingList = field(default_factory=lambda: FindingList(findings=[]))
    heatmap: Heatmap | None = None
    snapshot: Snapshot | None = None
    stat: str = FIRST_CHOICE
    text: str = ""
    order: Order = "model"

    @property
    def rows(self) -> list[LayerRow]:
        """Of all layers."""
        return layer_rows.rows_of(self.detail, self.found)

    @property
    def shown(self) -> list[LayerRow]:
        """As they were searched for, in the chosen order."""
        return picked(self.rows, text=self.text, order=self.order)


def stat_of(detail: RunDetail, wanted: str) -> str:
    """The stat that was asked for, if the run has it, else the first choice, else any."""
    known = stats_of(detail)
    return next((stat for stat in (wanted, FIRST_CHOICE, *known) if stat in known), FIRST_CHOICE)


def stats_of(detail: RunDetail) -> list[str]:
    """Those that the run recorded, in the order in which people are told of them."""
    return [stat for stat in words.STAT_WORDS if stat in detail.stats]


def body(view: LayersView) -> list[Piece]:
    """All below the tabs."""
    if not view.rows:
        return [card("Layers", html.Div(NO_LAYERS, className="tv-none"), name="tv-layersnone")]
    strip, count, tree = model_lists(view)
    step, table = newest_numbers(view)
    scrolled = html.Div(frozen("layers-table", table), className="tv-snap-scroll", tabIndex=0)
    said = html.Span(count, id="layers-count")
    left = card(
        "Layers", html.Div(frozen("layers-tree", tree), className="tv-tree-scroll"), sub=said, name="tv-treecard"
    )
    right = [
        _heat_card(view),
        card("Newest snapshot", scrolled, sub=html.Span(step, id="layers-step"), name="tv-snap"),
    ]
    return [
        card("Model", frozen("layers-strip", strip), sub=_size(view), right=_controls(view), name="tv-model"),
        html.Div([html.Div(left, className="tv-col"), html.Div(right, className="tv-col")], className="tv-lgrid"),
    ]


def model_lists(view: LayersView) -> tuple[Piece, Piece, Piece]:
    """The strip, always in the model's order; how many layers were found; the tree, or the list of the worst first."""
    run_id, rows, shown = view.detail.summary.run_id, view.rows, view.shown
    strip = [health_pills(rows), model_strip(run_id, picked(rows, text=view.text))]
    wanted = view.text.strip()
    count = f"{len(shown)} of {len(rows)}" if wanted else "1 layer" if len(shown) == 1 else f"{len(shown)} layers"
    if not shown:
        return strip, count, html.Div(f"No layer has “{wanted}” in its name.", className="tv-none")
    if view.order == "model":
        return strip, count, model_tree(run_id, shown, searched=bool(wanted))
    return strip, count, flat_list(run_id, shown)


def newest_numbers(view: LayersView) -> tuple[Piece, Piece]:
    """The newest snapshot: its step, and the table."""
    return step_of(view.snapshot), snapshot_table(view.detail.summary.run_id, view.shown, view.snapshot)


def heat_figure(view: LayersView) -> go.Figure:
    """The heatmap of the layers that were searched for, in the model's order."""
    last, heatmap = view.detail.summary.last_step, _searched(view)
    if view.heatmap is None:
        return heat(empty(view.stat), last_step=last)
    if heatmap is None:
        return heat(empty(view.stat), live=False, last_step=last)  # else it would ask for rows that nobody wants
    trained = [layer.name for layer in view.detail.layers if layer.parameters] or None
    ended = view.detail.summary.status in ENDED
    return heat(heatmap, applicable=trained, last_step=last, ended=ended)


def heat_bar(view: LayersView, figure: go.Figure) -> Piece:
    """The key of that figure."""
    return heat_key(_searched(view), figure)


def _searched(view: LayersView) -> Heatmap | None:
    """None where no row is left."""
    if view.heatmap is None:
        return None
    heatmap = rows_of(view.heatmap, {row.name for row in view.shown})
    return heatmap if heatmap.layers else None


def stat_choices(detail: RunDetail) -> list[dict[str, str]]:
    """For the select."""
    return [{"value": stat, "label": words.stat(stat)} for stat in stats_of(detail)]


def stat_chosen(view: LayersView) -> str | None:
    """For the select; None before any stat was recorded."""
    return view.stat if view.stat in view.detail.stats else None


def _heat_card(view: LayersView) -> html.Section:
    low, high = HEAT_HEIGHT_PX
    rows = len(view.heatmap.layers) if view.heatmap else 0
    height = min(high, max(low, ROW_PX * rows + 40))
    figure = heat_figure(view)
    plot = graph("g-layers-heat", figure, height=height, label="Layers over steps")
    choice = dmc.Select(
        id="layers-stat", data=stat_choices(view.detail), value=stat_chosen(view), size="xs", w=220,
        allowDeselect=False, searchable=False, placeholder="No stats yet", **{"aria-label": "Stat"},
    )  # fmt: skip
    bar = html.Div(heat_bar(view, figure), id="layers-heat-bar")
    return card("Layers over time", plot, right=[bar, choice], name="tv-heatcard")


def _controls(view: LayersView) -> list[Piece]:
    return [
        dmc.TextInput(
            id="layers-text", value=view.text, placeholder="Search names", size="xs", w=190, debounce=250,
            **{"aria-label": "Search the names of layers"},
        ),
        dmc.SegmentedControl(
            id="layers-order", value=view.order, size="xs",
            data=[{"value": order, "label": word} for order, word in ORDERS.items()],
            **{"aria-label": "Order of layers"},
        ),
    ]  # fmt: skip


def _size(view: LayersView) -> str:
    """All layers, of which some may be recorded that the model does not declare, and its parameters."""
    detail, layers = view.detail, len(view.rows)
    parameters = sum(layer.parameters for layer in detail.layers)
    trained = sum(layer.trainable for layer in detail.layers)
    frozen = f", {layer_rows.count(parameters - trained)} of them frozen" if trained < parameters else ""
    total = f" · {layer_rows.count(parameters)} parameters{frozen}" if parameters else ""
    return f"{layers} layers{total}" if layers != 1 else f"1 layer{total}"
