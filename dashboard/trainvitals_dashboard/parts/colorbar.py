"""A heatmap's colour bar: cheaper and better set than plotly's own."""

from __future__ import annotations

import plotly.graph_objects as go
from dash import html

from trainvitals.wire.answers import Heatmap
from trainvitals_dashboard.figures.heat import HeatScale
from trainvitals_dashboard.figures.heat import scale as scale_of

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PLAIN_POWERS = range(-3, 4)  # of numbers that are written out


def heat_key(heatmap: Heatmap | None, figure: go.Figure) -> html.Div | None:
    """The key of a heatmap: its colour bar, and the colour of cells that are not finite where its figure shows such."""
    if heatmap is None:
        return None
    bar = colorbar(scale_of(heatmap))
    if not len(figure.data[1].z):
        return bar
    return html.Div([html.Span([html.I(), "not finite"], className="tv-cbar-ill"), bar], className="tv-cbar-with")


def colorbar(scale: HeatScale, *, ends: tuple[str, str] | None = None, neutral: str = "") -> html.Div:
    """Lowest and highest value (``ends``: in these words) with the colours between, and a mark at the neutral one
    (``neutral``: in this word)."""
    low, high = ends or (_label(scale, scale.low), _label(scale, scale.high))
    middle = html.B(neutral or _label(scale, scale.middle)) if scale.middle is not None else None
    bar = html.Div([html.I()] if middle else [], className=f"tv-cbar tv-cbar-{scale.kind}")
    return html.Div(
        [bar, html.Div([html.Span(low), middle, html.Span(high)], className="tv-cbar-said")], className="tv-cbar-row"
    )


def _label(scale: HeatScale, value: float) -> str:
    if not scale.log:
        return f"{value:g}"
    factor, _, power = f"{10**value:.0e}".partition("e")
    if factor == "1":
        return f"10{str(int(power)).translate(_SUPERSCRIPT)}"
    plain = int(power) in _PLAIN_POWERS
    return f"{float(factor) * 10 ** int(power):g}" if plain else f"{factor}·10{str(int(power)).translate(_SUPERSCRIPT)}"
