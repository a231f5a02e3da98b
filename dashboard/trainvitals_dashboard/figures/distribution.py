"""Distributions over time: the histograms of one layer, step by step, over an axis that is symmetric around zero and
logarithmic in the absolute value."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from trainvitals.wire.answers import LayerHistograms
from trainvitals_dashboard import words
from trainvitals_dashboard.figures.heat import HeatScale
from trainvitals_dashboard.figures.steps import FEW_TICKS, step_axis
from trainvitals_dashboard.theme import NONFINITE, SEQUENTIAL, TEMPLATE

SHARES: Final = HeatScale(kind="seq", low=-4, high=0)  # powers of ten: what one value in ten thousand does is seen
POWERS: Final = range(-7, 5)  # of ten, between the first edge and the last
TICK_DECADES: Final = (1, 2, 3, 4)  # from tick to tick
NOT_FINITE: Final = "NaN, ∞"
ROOM_FOR_A_WORD: Final = 0.09  # of the height

Edges = NDArray[np.float32]
Shares = NDArray[np.float32]  # [bins, steps]


def distribution(histograms: LayerHistograms) -> go.Figure:
    """The share of a layer's values in each bin (colour) at each step; above them, where there is any, what is not
    finite. Bins beyond the lowest and highest value ever taken are left out."""
    steps, edges = histograms.steps, np.array(histograms.edges.tolist(), np.float32)
    shares = np.frombuffer(histograms.shares.data, "<f4").reshape(len(steps), -1).T
    bad = np.array(histograms.nonfinite.tolist(), np.float32)
    low, high = _reach(shares, edges)
    names = [_range_words(edges, place) for place in range(low, high)]
    ticks = _ticks(edges, low, high)
    rows = shares[low:high]
    figure = go.Figure()
    if bad.any():
        room = len(names) * (1 - ROOM_FOR_A_WORD)
        ticks = [*((place, text) for place, text in ticks if place < room), (float(len(names)), NOT_FINITE)]
        names.append("NaN or infinite")
        rows = np.vstack((rows, np.zeros_like(bad)))
        apart = np.zeros_like(rows)  # with all rows of the other, as heatmaps that share categories must have
        apart[-1] = bad
        figure.add_heatmap(**_cells(apart, steps, names), zmin=-38, zmax=0, colorscale=NONFINITE["light"])
        figure.update_traces(meta={"tv": "nonfinite", "power": 10})
    figure.add_heatmap(
        **_cells(rows, steps, names),
        zmin=SHARES.low,
        zmax=SHARES.high,
        colorscale=SEQUENTIAL["light"],
        meta={"tv": "seq", "power": 10},
    )
    figure.update_layout(
        template=TEMPLATE,
        hovermode="closest",
        margin={"l": 52, "r": 10, "t": 6, "b": 24},  # as the curves below have it
        xaxis={"showgrid": False, **step_axis(steps[0], _end(steps), ticks=FEW_TICKS)},
        yaxis={
            "type": "category",
            "showgrid": False,
            "tickvals": [place for place, _ in ticks],
            "ticktext": [text for _, text in ticks],
            "range": [-0.5, len(names) - 0.5],
        },
    )
    return figure


def _cells(shares: Shares, steps: Sequence[int], names: Sequence[str]) -> dict[str, Any]:  # Any: plotly's own
    """Cells coloured by the logarithm of their share, none where there is nothing; each column lasts until the next
    histogram was taken."""
    return {
        "x": [*steps, _end(steps)],
        "y": names,
        "z": np.log10(shares, where=shares > 0, out=np.full(shares.shape, np.nan, np.float32)),
        "text": [[_said(step, share) for step, share in zip(steps, row, strict=True)] for row in shares.tolist()],
        "showscale": False,
        "hoverongaps": False,
        "hovertemplate": "%{y}<br>%{text}<extra></extra>",
    }


def _end(steps: Sequence[int]) -> int:
    return steps[-1] + (int(np.median(np.diff(steps))) if len(steps) > 1 else 1)


def _reach(shares: Shares, edges: Edges) -> tuple[int, int]:
    """The bins to draw: those that ever held anything, zero, and one more at either end."""
    zero = int(np.searchsorted(edges, 0.0))
    held = np.flatnonzero(shares.any(axis=1))
    lowest, highest = (int(held[0]), int(held[-1])) if len(held) else (zero, zero)
    return max(0, min(lowest, zero) - 1), min(len(edges) - 1, max(highest, zero) + 2)


def _said(step: int, share: float) -> str:
    return f"step {step:,} · <b>{_percent(share)}</b>" if share else ""


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
    that none covers another."""
    zero = int(np.searchsorted(edges, 0.0))
    for apart in TICK_DECADES:
        powers = [power for power in POWERS if power % apart == 0]
        above = [(zero + _level(edges, 10.0**power, zero), _power(power)) for power in powers]
        below = [(zero - _level(edges, 10.0**power, zero), f"−{_power(power)}") for power in powers]
        ticks = [(place - low - 0.5, text) for place, text in (*below, (zero, "0"), *above) if low < place < high]
        places = sorted(place for place, _ in ticks)
        if all(later - earlier >= (high - low) * ROOM_FOR_A_WORD for earlier, later in pairwise(places)):
            break
    return ticks


def _level(edges: Edges, value: float, zero: int) -> float:
    """How many bins above zero a value lies; between edges by its logarithm."""
    above = np.log10(edges[zero + 1 : -1].astype(np.float64))
    return 1 + float(np.interp(np.log10(value), above, np.arange(len(above))))


def _power(power: int) -> str:
    return f"{10.0**power:g}" if abs(power) <= 1 else f"1e{power}".replace("-", "−")
