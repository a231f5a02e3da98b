"""The charts of a run's page: loss, heatmap, learning rate, gradient norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import dash_mantine_components as dmc
import plotly.graph_objects as go
from dash import html

from trainvitals.wire.answers import Curve, Heatmap, RunDetail
from trainvitals_dashboard import words
from trainvitals_dashboard.figures.heat import empty, heat
from trainvitals_dashboard.figures.lines import loss, single
from trainvitals_dashboard.gathering import RunView, validation_loss_metric
from trainvitals_dashboard.parts.cards import Piece, card, graph, legend
from trainvitals_dashboard.parts.colorbar import heat_key
from trainvitals_dashboard.parts.health import ENDED

HEAT_STATS: Final = ("update_ratio", "grad_norm", "zero_fraction", "activation_std")
HEAT_HEIGHT_PX: Final = (200, 420)
ROW_PX: Final = 9


def left_column(view: RunView, *, stat: str) -> list[Piece]:
    """The curves and the heatmap."""
    control = dmc.SegmentedControl(
        id="heat-stat", value=stat, size="xs", data=[{"value": name, "label": words.stat(name)} for name in HEAT_STATS]
    )
    low, high = HEAT_HEIGHT_PX
    height = min(high, max(low, ROW_PX * len(view.heatmap.layers if view.heatmap else ()) + 40))
    loss_plot = graph("g-loss", loss_figure(view), height=240, label=f"{words.metric(view.loss)} over steps")
    lr_plot = graph("g-lr", small_figure(view, "lr"), height=150, label="Learning rate over steps")
    norm_plot = graph("g-norm", small_figure(view, "grad_norm"), height=150, label="Gradient norm over steps")
    layers = heat_figure(view)
    heat_plot = graph("g-heat", layers, height=height, label="Layers over steps")
    bar = html.Div(heat_key(view.heatmap, layers), id="heat-bar")
    key = html.Div(loss_key(view), id="loss-key")
    zoomed = html.Button(id="zoomed", className="tv-zoomed", type="button", hidden=True)  # 43-zoom.js
    return [
        card(words.metric(view.loss), loss_plot, right=[zoomed, key], title_id="loss-title"),
        card("Layers over time", heat_plot, right=[bar, control], name="tv-heatcard"),
        html.Div(
            [card("Learning rate", lr_plot), card("Gradient norm", norm_plot, sub="global L2")], className="tv-two"
        ),
    ]


def loss_key(view: RunView) -> html.Div:
    """What the loss chart's looks mean. Validation and findings may come only while one looks."""
    key = [("smoothed", "s1", "ln"), ("as logged, low to high", "s1", "fa")]
    if validation_beside(view):
        key.append(("validation", "s2", "do"))
    if view.findings:
        key.append(("finding", "crit", "dm"))
    return legend(key)


def loss_figure(view: RunView, *, live: bool = True) -> go.Figure:
    """The loss chart of the view."""
    validation = validation_beside(view)
    last = view.detail.summary.last_step
    return loss(view.curve(view.loss), validation=validation, findings=view.findings, live=live, last_step=last)


def validation_beside(view: RunView) -> Curve | None:
    """The validation loss, unless it is the only loss there is."""
    name = validation_loss_metric(view.detail)
    return view.curves.get(name) if name and name != view.loss else None


def small_figure(view: RunView, metric: str) -> go.Figure:
    """Learning rate or gradient norm."""
    return small_of(metric, view.curve(metric))


def small_of(metric: str, curve: Curve, *, live: bool = True) -> go.Figure:
    """One of the two small charts below the heatmap."""
    is_norm = metric == "grad_norm"
    return single(curve, colour="s3" if is_norm else "fg-2", log=is_norm, name=words.metric(metric), live=live)


def heat_figure(view: RunView) -> go.Figure:
    """The heatmap of the view."""
    return heat_of(view.detail, view.stat, view.heatmap)


def heat_of(detail: RunDetail, stat: str, heatmap: Heatmap | None, *, live: bool = True) -> go.Figure:
    """A heatmap of the run's layers; empty if the stat has no values yet."""
    if heatmap is None:
        return heat(empty(stat))
    summary = detail.summary
    return heat(
        heatmap,
        applicable=_with_parameters(detail),
        live=live,
        last_step=summary.last_step,
        ended=summary.status in ENDED,
    )


def _with_parameters(detail: RunDetail) -> Sequence[str] | None:
    return [layer.name for layer in detail.layers if layer.parameters] or None
