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

Numbers = NDArray[np.float64]


def spark(series: Sequence[float]) -> str:
    """A data URL of the line with its area; what is not finite leaves a gap. Empty if fewer than two are finite."""
    every = np.asarray(series, float)
    picked = every[np.linspace(0, len(every) - 1, min(len(every), POINTS)).astype(int)] if len(every) else every
    good = np.isfinite(picked)
    if good.sum() < 2:
        return ""
    low, span = float(picked[good].min()), float(np.ptp(picked[good])) or 1.0
    across = np.linspace(1, WIDTH - 1, len(picked))
    down = HEIGHT - 2 - (picked - low) / span * (HEIGHT - 4)
    drawn = ""
    for run in np.split(np.arange(len(picked)), np.flatnonzero(np.diff(good)) + 1):
        if good[run[0]] and len(run) > 1:
            drawn += _line(across[run], down[run])
    box = f"viewBox='0 0 {WIDTH} {HEIGHT}' preserveAspectRatio='none'"
    return "data:image/svg+xml," + quote(f"<svg xmlns='http://www.w3.org/2000/svg' {box}>{drawn}</svg>")


def _line(across: Numbers, down: Numbers) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
    edges = f"{across[0]:.1f},{HEIGHT} {points} {across[-1]:.1f},{HEIGHT}"
    area = f"<polygon points='{edges}' fill='#000' fill-opacity='.16'/>"
    return (
        area
        + f"<polyline points='{points}' fill='none' stroke='#000' stroke-width='{STROKE}' stroke-linejoin='round'/>"
    )
