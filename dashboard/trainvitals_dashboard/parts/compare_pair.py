"""Two runs, layer by layer: where they part, and how many times as large a stat is in one as in the other."""

from __future__ import annotations

from collections.abc import Sequence

import dash_mantine_components as dmc
import plotly.graph_objects as go
from dash import html

from trainvitals.wire.answers import Heatmap, RunDetail
from trainvitals.wire.checklist import Changes
from trainvitals_dashboard import words
from trainvitals_dashboard.comparing import Compared
from trainvitals_dashboard.figures.heat import HeatScale
from trainvitals_dashboard.figures.layer_ratio import (
    LayerRatio,
    clipped,
    layer_ratio,
    ratio_figure,
    ratio_scale,
    times,
)
from trainvitals_dashboard.parts.cards import Piece, card, graph
from trainvitals_dashboard.parts.changes_card import layers_said, parting_said
from trainvitals_dashboard.parts.colorbar import colorbar

# by size: where a stat may be negative, or is a share, a ratio says nothing
PAIR_STATS = (
    *("grad_norm", "update_ratio", "weight_norm", "activation_std", "activation_max", "grad_max", "weight_max"),
    *("update_rms", "init_distance", "second_moment_rms", "adam_rms"),
)
HEIGHT_PX = (180, 460)
ROW_PX = 13


def stats_of_both(found: Compared) -> list[str]:
    """The stats that can be held against each other."""
    told = [set(detail.stats) for detail in found.details]
    return [stat for stat in PAIR_STATS if all(stat in stats for stats in told)]


def parting_card(found: Compared, changes: Changes) -> Piece:
    """Where losses and layers part, in sentences; nothing where neither is known."""
    said = [parting_said(changes.parting)] if changes.parting is not None else []
    said += layers_said(changes.layer_parting) if changes.layer_parting is not None else []
    if not said:
        return None
    now, then = found.names[changes.run_id], found.names[found.baseline]
    sub = f"now is {now}, then is {then}"
    return card("Where they part", [html.P(sentence, className="tv-ch-said") for sentence in said], sub=sub)


def pair_card(found: Compared, stat: str, heatmaps: tuple[Heatmap, Heatmap] | None) -> Piece:
    """The heatmap of the ratio; ``heatmaps``: now and then. Without any, what is missing."""
    stats = stats_of_both(found)
    now, then = found.names[found.others[0].summary.run_id], found.names[found.baseline]
    title, sub = "Layers held against each other", f"{now} ∕ {then}, log₂"
    if heatmaps is None or not stats:
        nothing = html.Div("These runs have no stat of a layer in common.", className="tv-none")
        return card(title, nothing, sub=sub)
    ratio, scale, figure = drawn(found, stat, heatmaps)
    choice = dmc.Select(
        id="compare-stat",
        data=[{"value": name, "label": words.stat(name)} for name in stats],
        value=stat,
        size="xs",
        w=190,
        allowDeselect=False,
        **{"aria-label": "Stat of the layers"},
    )
    low, high = HEIGHT_PX
    height = min(high, max(low, ROW_PX * len(ratio.layers) + 40))
    plot = graph("g-pair", figure, height=height, label=f"{words.stat(stat)} of layers, {now} over {then}")
    bar = html.Div(pair_bar(ratio, scale), id="pair-bar", className="tv-cmp-bar")
    said = html.P(pair_said(found, ratio, scale, heatmaps), id="pair-said", className="tv-sub tv-cmp-same")
    return card(title, [plot, said], sub=sub, right=[bar, choice], name="tv-heatcard")


def drawn(found: Compared, stat: str, heatmaps: tuple[Heatmap, Heatmap]) -> tuple[LayerRatio, HeatScale, go.Figure]:
    """The ratio, its colours, and the plot."""
    with_parameters = {layer.name for detail in found.details for layer in detail.layers if layer.parameters}
    ratio = layer_ratio(*heatmaps, applicable=with_parameters or None)
    scale = ratio_scale(ratio)
    return ratio, scale, ratio_figure(ratio, scale, stat=words.stat(stat))


def pair_bar(ratio: LayerRatio, scale: HeatScale) -> html.Div:
    """The colours, and whether cells lie beyond their ends."""
    is_clipped = clipped(ratio, scale) > 0
    ends = [f"{times(end)} or more" if is_clipped else times(end) for end in (scale.low, scale.high)]
    return colorbar(scale, ends=(ends[0], ends[1]), neutral="×1")


def pair_said(found: Compared, ratio: LayerRatio, scale: HeatScale, heatmaps: tuple[Heatmap, Heatmap]) -> str:
    """Which part of both runs is held against each other, and what of it the colours do not tell apart."""
    if ratio.is_empty:
        return "The runs have no layer and step in common that was recorded of both."
    said = [
        f"{_count(len(ratio.layers), 'layer')} and steps {int(ratio.first):,} to {ratio.last:,}, as both have them."
    ]
    layers = [set(heatmap.layers) for heatmap in heatmaps]
    lone = (len(layers[0] - layers[1]), len(layers[1] - layers[0]))
    for alone, detail in zip(lone, (*found.others, _baseline(found)), strict=True):
        said += [f"{found.names[detail.summary.run_id]} alone has {alone} more."] if alone else []
    beyond = clipped(ratio, scale)
    if beyond:
        said.append(
            f"Colours end at {times(scale.high)}: {beyond / max(1, ratio.logs.size):.1%} of the cells lie beyond."
        )
    return " ".join(said)


def _baseline(found: Compared) -> RunDetail:
    return next(detail for detail in found.details if detail.summary.run_id == found.baseline)


def _count(many: int, word: str) -> str:
    return f"{many} {word}" if many == 1 else f"{many} {word}s"


def first_stat(stats: Sequence[str], wanted: str) -> str:
    """The wanted one where it can be had, else the first; empty where there is none."""
    return wanted if wanted in stats else next(iter(stats), "")
