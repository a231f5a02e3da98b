"""Sparklines as small SVG, used as a mask and coloured by CSS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import numpy as np

POINTS: Final = 48
WIDTH: Final = 132
HEIGHT: Final = 22
STROKE: Final = 1.4


def spark(series: Sequence[float]) -> str:
    """A data URL of the line with its area; what is not finite is left out. Empty if fewer than two points remain."""
    finite = np.asarray(series, float)
    finite = finite[np.isfinite(finite)]
    if len(finite) < 2:
        return ""
    picked = finite[np.linspace(0, len(finite) - 1, min(len(finite), POINTS)).astype(int)]
    span = float(np.ptp(picked)) or 1.0
    across = np.linspace(1, WIDTH - 1, len(picked))
    down = HEIGHT - 2 - (picked - picked.min()) / span * (HEIGHT - 4)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
    area = f"<polygon points='1,{HEIGHT} {points} {WIDTH - 1},{HEIGHT}' fill='#000' fill-opacity='.16'/>"
    line = f"<polyline points='{points}' fill='none' stroke='#000' stroke-width='{STROKE}' stroke-linejoin='round'/>"
    box = f"viewBox='0 0 {WIDTH} {HEIGHT}' preserveAspectRatio='none'"
    return "data:image/svg+xml," + quote(f"<svg xmlns='http://www.w3.org/2000/svg' {box}>{area}{line}</svg>")
