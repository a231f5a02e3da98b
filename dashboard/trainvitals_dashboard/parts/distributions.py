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
    head = html.Div(
        [
            html.H3("Distributions over time", className="tv-h3"),
            html.Span(
                [html.Span("share of values", className="tv-sub"), colorbar(SHARES, ends=("0.01 %", "100 %"))],
                className="tv-dist-key",
            ),
        ],
        className="tv-dist-head",
    )
    return [head, *(part for histograms in found for part in _plot(histograms))]


def _plot(histograms: LayerHistograms) -> list[Piece]:
    word = words.KIND_WORDS[histograms.kind]
    label = f"Distribution of {word.lower()} over steps"
    return [
        html.Div(word, className="tv-sub tv-dist-cap"),
        graph(f"g-dist-{histograms.kind}", distribution(histograms), height=HEIGHT, label=label),
    ]
