"""A chart of nothing says so: plotly would number its axes as it likes."""

from __future__ import annotations

import plotly.graph_objects as go


def say_if_empty(figure: go.Figure, *, is_empty: bool, has_steps: bool = False) -> None:
    """In words, and without numbers at the axes, but for steps where it ``has_steps`` of something else. 40-live.js
    undoes it when the first point comes."""
    if not is_empty:
        return
    figure.update_xaxes(showticklabels=has_steps)
    figure.update_yaxes(showticklabels=False)
    place = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
    figure.add_annotation(text="no points", name="empty", **place)
