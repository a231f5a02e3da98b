"""Distributions over time: the histograms of one layer, step by step, over an axis that is symmetric around zero and
logarithmic in the absolute value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from trainvitals.wire.answers import LayerHistograms
from trainvitals_dashboard import words
from trainvitals_dashboard.figures.heat import HeatScale
from trainvitals_dashboard.theme import NONFINITE, SEQUENTIAL, TEMPLATE

SHARES: Final = HeatScale(kind="seq", low=-4, high=0)  # powers of ten: what one value in ten thousand does is seen
POWERS: Final = range(-7, 5)  # of ten, between the first edge and the last
TICK_DECADES: Final = (1, 2, 3, 4)
MOST_TICKS: Final = 11
NOT_FINITE: Final = "NaN, ∞"

Edges = NDArray[np.float32]


def distribution(histograms: LayerHistograms) -> go.Figure:
    """The share of a layer's values in each bin (colour) at each step; above them, where there is any, what is not
    finite. Bins beyond the lowest and highest value ever taken are left out."""
    edges = np.array(histograms.edges.tolist(), np.float32)
    shares = np.frombuffer(histograms.shares.data, "<f4").reshape(len(histograms.steps), -1)
    bad = np.array(histograms.nonfinite.tolist(), np.float32)
    low, high = _reach(shares, edges)
    names = [_range_words(edges, place) for place in range(low, high)]
    shown = shares[:, low:high]
    figure = go.Figure()
    figure.add_heatmap(
        x=_columns(histograms.steps),
        y=names,
        z=_logarithms(shown).T,
        text=[[_said(step, share) for step, share in zip(histograms.steps, row, strict=True)] for row in shown.T],
        zmin=SHARES.low,
        zmax=SHARES.high,
        colorscale=SEQUENTIAL["light"],
        meta={"tv": "seq"},
        showscale=False,
        hoverongaps=False,
        hovertemplate="%{y}<br>%{text}<extra></extra>",
    )
    if bad.any():
        _add_nonfinite(figure, histograms.steps, bad)
    ticks = _ticks(edges, low, high)
    figure.update_layout(
        template=TEMPLATE,
        hovermode="closest",
        margin={"l": 52, "r": 10, "t": 6, "b": 24},  # as the curves below have it
        xaxis={"showgrid": False, "tickformat": "~s", "nticks": 7},
        yaxis={
            "type": "category",
            "showgrid": False,
            "tickvals": [place for place, _ in ticks] + ([len(names)] if bad.any() else []),
            "ticktext": [text for _, text in ticks] + ([NOT_FINITE] if bad.any() else []),
            "range": [-0.5, len(names) - 0.5 + bool(bad.any())],
        },
    )
    return figure


def _columns(steps: Sequence[int]) -> list[float]:
    """Where columns begin and the last ends: each lasts until the next histogram was taken."""
    return [*steps, steps[-1] + (float(np.median(np.diff(steps))) if len(steps) > 1 else 1)]


def _add_nonfinite(figure: go.Figure, steps: Sequence[int], bad: Edges) -> None:
    figure.add_heatmap(
        x=_columns(steps),
        y=[NOT_FINITE],
        z=np.where(bad > 0, np.float32(1), np.float32(np.nan))[None],
        text=[[_said(step, share) for step, share in zip(steps, bad, strict=True)]],
        zmin=0,
        zmax=1,
        colorscale=NONFINITE["light"],
        meta={"tv": "nonfinite"},
        showscale=False,
        hoverongaps=False,
        hovertemplate="NaN or infinite<br>%{text}<extra></extra>",
    )


def _reach(shares: NDArray[np.float32], edges: Edges) -> tuple[int, int]:
    """The bins to draw: those that ever held anything, zero, and one more at either end."""
    zero = int(np.searchsorted(edges, 0.0))
    held = np.flatnonzero(shares.any(axis=0))
    lowest, highest = (int(held[0]), int(held[-1])) if len(held) else (zero, zero)
    return max(0, min(lowest, zero) - 1), min(len(edges) - 1, max(highest, zero) + 2)


def _logarithms(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Powers of ten; NaN, which is not drawn, where there is nothing."""
    return np.log10(shares, where=shares > 0, out=np.full(shares.shape, np.nan, np.float32))


def _said(step: int, share: float) -> str:
    return f"step {step:,} · <b>{_percent(float(share))}</b>"


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else f"{share:.3%}"


def _range_words(edges: Edges, place: int) -> str:
    low, high = float(edges[place]), float(edges[place + 1])
    if not np.isfinite(low):
        return f"below {_signed(high)}"
    if not np.isfinite(high):
        return f"{_signed(low)} and above"
    return f"{_signed(low)} to {_signed(high)}"


def _signed(value: float) -> str:
    return words.number(value).replace("-", "−")


def _ticks(edges: Edges, low: int, high: int) -> list[tuple[float, str]]:
    """Places on the axis, in bins from the lowest drawn, and what stands there: zero, and powers of ten so far apart
    that there are not too many."""
    zero = int(np.searchsorted(edges, 0.0))
    for apart in TICK_DECADES:
        powers = [power for power in POWERS if power % apart == 0]
        above = [(zero + _level(edges, 10.0**power, zero), _power(power)) for power in powers]
        below = [(zero - _level(edges, 10.0**power, zero), f"−{_power(power)}") for power in powers]
        ticks = [(place - low - 0.5, text) for place, text in (*below, (zero, "0"), *above) if low < place < high]
        if len(ticks) <= MOST_TICKS:
            break
    return ticks


def _level(edges: Edges, value: float, zero: int) -> float:
    """How many bins above zero a value lies; between edges by its logarithm."""
    above = np.log10(edges[zero + 1 : -1].astype(np.float64))
    return 1 + float(np.interp(np.log10(value), above, np.arange(len(above))))


def _power(power: int) -> str:
    return f"{10.0**power:g}" if abs(power) <= 1 else f"1e{power}".replace("-", "−")
