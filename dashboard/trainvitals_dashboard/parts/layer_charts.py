"""All curves of one layer, small, in groups, over the same steps; a pointer in one is a line in all (56-layers.js)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import plotly.graph_objects as go
from dash import html

from trainvitals.wire.answers import Curve, LayerHistograms, Snapshot
from trainvitals_dashboard import words
from trainvitals_dashboard.figures.lines import single
from trainvitals_dashboard.figures.steps import FEW_TICKS, step_axis
from trainvitals_dashboard.parts.cards import Piece, card, graph
from trainvitals_dashboard.parts.distributions import captioned, shares_key
from trainvitals_dashboard.parts.snapshot_table import numbers_of

HEIGHT_PX: Final = 130
CHART: Final = "layer-stat"  # the type in a chart's id, beside its stat
GROUPS: Final[dict[str, str]] = {"Activations": "s1", "Gradients": "s3", "Weights and updates": "s2"}  # group: colour
OF_ACTIVATIONS: Final = ("activation_", "attention_", "running_", "relu_")  # how stats begin
OTHERS_OF_ACTIVATIONS: Final = ("zero_fraction", "saturated_fraction", "dead_fraction")

Newest = Mapping[str, tuple[int, float]]  # stat → step and value


def group_of(stat: str) -> str:
    """The card in which a stat is drawn."""
    if stat in OTHERS_OF_ACTIVATIONS or stat.startswith(OF_ACTIVATIONS):
        return "Activations"
    return "Gradients" if stat.startswith("grad_") else "Weights and updates"


def layer_charts(layer: str, curves: Mapping[str, Curve], newest: Newest) -> list[Piece]:
    """A card for each group that has any."""
    if not curves:
        text = "Nothing was recorded for this layer: it was not watched, or did not run yet."
        return [card("Stats", html.Div(text, className="tv-none"))]
    figures, cards = stat_figures(layer, curves, newest), []
    for group in GROUPS:
        charts = [_chart(stat, figures[stat]) for stat in curves if group_of(stat) == group]
        cards += [card(group, html.Div(charts, className="tv-metrics"), name="tv-layerstats")] if charts else []
    return cards


def newest_of(layer: str, curves: Mapping[str, Curve], snapshot: Snapshot | None) -> dict[str, tuple[int, float]]:
    """Stat → its newest value, and of which step. Of a thinned curve the last point is a mean of several snapshots; the
    value itself is in the newest snapshot, unless the stat is not part of that one."""
    told = numbers_of(snapshot).get(layer, {}) if snapshot is not None else {}
    newest = {stat: (curve.last_steps[-1], curve.mean.tolist()[-1]) for stat, curve in curves.items() if curve.steps}
    for stat in newest:
        value = told.get(stat)
        if snapshot is not None and value is not None and curves[stat].bucket > 1:
            newest[stat] = (snapshot.step, value)
    return newest


def stat_figures(layer: str, curves: Mapping[str, Curve], newest: Newest) -> dict[str, go.Figure]:
    """Stat → its curve over the steps that all share; with its ``newest`` value, for 56-layers.js."""
    starts = [curve.steps[0] for curve in curves.values() if curve.steps]
    ends = [curve.last_steps[-1] for curve in curves.values() if curve.steps]
    span = (min(starts, default=0), max(ends, default=0))
    return {stat: _figure(layer, stat, curve, span=span, newest=newest.get(stat)) for stat, curve in curves.items()}


def layer_distributions(found: Sequence[LayerHistograms]) -> list[Piece]:
    """One card with weights, gradients and activations beside one another; nothing where none were recorded."""
    if not found:
        return []
    panels = [html.Div(captioned(histograms)) for histograms in found]
    return [
        card("Distributions over time", html.Div(panels, className="tv-metrics tv-dists"), right=shares_key())
    ]  # fmt: skip


def _figure(
    layer: str, stat: str, curve: Curve, *, span: tuple[int, int], newest: tuple[int, float] | None
) -> go.Figure:
    """Followed while one looks, as far as the stat is part of the feed."""
    figure = single(curve, colour=GROUPS[group_of(stat)], log=not words.is_linear(stat), name=words.stat(stat))
    figure.update_xaxes(step_axis(*span, ticks=FEW_TICKS))
    figure.update_yaxes(automargin="left")  # what hardly changes has long numbers
    live = figure.layout.meta["live"]
    lines = [{**line, "metric": stat} for line in live["lines"]]
    said = {"newest": [newest[0], words.number(newest[1])]} if newest else {}
    return figure.update_layout(meta={"live": {**live, "lines": lines, "layer": layer}, **said})


def _chart(stat: str, figure: go.Figure) -> html.Div:
    _, newest = figure.layout.meta.get("newest", (0, words.number(None)))
    value = html.Span(newest, className="tv-num tv-at", **{"data-at": ""})
    title = html.H3([html.Span(words.stat(stat), title=words.stat(stat)), value], className="tv-h3 tv-metric-t tv-at-t")
    plot = graph({"type": CHART, "stat": stat}, figure, height=HEIGHT_PX, label=f"{words.stat(stat)} over steps")
    return html.Div([title, plot])
