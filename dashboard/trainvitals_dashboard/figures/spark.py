"""Sparklines as small SVG, used as a mask and coloured by CSS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

POINTS: Final = 48
WIDTH: Final = 132
HEIGHT: Final = 22
STROKE: Final = 1.4
DOT: Final = 1.5  # a lone point is drawn this long

Numbers = NDArray[np.float64]
Points = Sequence[tuple[float, float]]  # step and value


def thinned(steps: Sequence[float], series: Sequence[float]) -> list[tuple[float, float]]:
    """As many points as a sparkline has room for, with the first and the last."""
    count = min(len(steps), len(series))
    picked = np.linspace(0, count - 1, min(count, POINTS)).astype(int) if count else np.empty(0, int)
    return [(float(steps[index]), float(series[index])) for index in picked]


def spark(points: Points) -> str:
    """A data URL of the line with its area, each point where its step is; dashes where values are not finite.
    40-live.js draws the same while a run goes on."""
    steps, series = (np.asarray(column, float) for column in zip(*points, strict=True)) if points else _NOTHING
    good = np.isfinite(series)
    drawn = ""
    if len(series):
        low, span = (float(series[good].min()), float(np.ptp(series[good])) or 1.0) if good.any() else (0.0, 1.0)
        across = 1 + (steps - steps[0]) / (float(np.ptp(steps)) or 1.0) * (WIDTH - 2)
        down = HEIGHT - 2 - (series - low) / span * (HEIGHT - 4)
        for run in np.split(np.arange(len(series)), np.flatnonzero(np.diff(good)) + 1):
            drawn += _line(across[run], down[run]) if good[run[0]] else _dashes(across[run[0]], across[run[-1]])
    box = f"viewBox='0 0 {WIDTH} {HEIGHT}' preserveAspectRatio='none'"
    return "data:image/svg+xml," + quote(f"<svg xmlns='http://www.w3.org/2000/svg' {box}>{drawn}</svg>")


_NOTHING: Final = (np.empty(0), np.empty(0))


def _line(across: Numbers, down: Numbers) -> str:
    if len(across) == 1:
        across, down = np.asarray([across[0], across[0] + DOT]), np.repeat(down, 2)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
    edges = f"{across[0]:.1f},{HEIGHT} {points} {across[-1]:.1f},{HEIGHT}"
    area = f"<polygon points='{edges}' fill='#000' fill-opacity='.16'/>"
    return (
        area
        + f"<polyline points='{points}' fill='none' stroke='#000' stroke-width='{STROKE}' stroke-linejoin='round'/>"
    )


def _dashes(start: float, end: float) -> str:
    y = HEIGHT - 2
    return f"<path d='M{start:.1f},{y}H{end + DOT:.1f}' stroke='#000' stroke-width='{STROKE}' stroke-dasharray='2 3'/>"
