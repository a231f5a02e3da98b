"""How the values of one layer were distributed over the run: one heatmap for each kind of values that was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dash import html

from trainvitals.wire.answers import LayerHistograms
from trainvitals_dashboard import words
from trainvitals_dashboard.figures.distribution import SHARES, distribution
from trainvitals_dashboard.parts.cards import Piece, graph
from trainvitals_dashboard.parts.colorbar import colorbar

HEIGHT: Final = 190


def distributions(found: Sequence[LayerHistograms]) -> list[Piece]:
    """Title, colour bar and heatmaps; nothing where there are no histograms."""
    if not found:
        return []
    head = html.Div([html.H3("Distributions over time", className="tv-h3"), shares_key()], className="tv-dist-head")
    return [head, *(part for histograms in found for part in captioned(histograms))]


def shares_key() -> html.Span:
    """What the colours mean."""
    bar = colorbar(SHARES, ends=("0.01 %", "100 %"))
    return html.Span([html.Span("share of values", className="tv-sub"), bar], className="tv-dist-key")


def captioned(histograms: LayerHistograms) -> list[Piece]:
    """One kind of values, and its heatmap."""
    word = words.KIND_WORDS[histograms.kind]
    label = f"Distribution of {word.lower()} over steps"
    return [
        html.Div(word, className="tv-sub tv-dist-cap"),
        graph(f"g-dist-{histograms.kind}", distribution(histograms), height=HEIGHT, label=label),
    ]
