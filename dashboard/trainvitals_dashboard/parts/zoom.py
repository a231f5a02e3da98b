"""The steps that a page of a run shows."""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go
from dash import dcc

from trainvitals.wire.answers import RunDetail


@dataclass(frozen=True, slots=True, kw_only=True)
class Zoom:
    """The steps in view; None is open."""

    first: int | None = None
    last: int | None = None

    def is_live(self, detail: RunDetail) -> bool:
        """Whether what comes yet is in view: charts that end in the past do not grow."""
        return self.last is None or self.last >= (detail.summary.last_step or 0)

    def shown_by(self, figure: go.Figure) -> go.Figure:
        """The figure, which shows these steps and no others, whatever was zoomed into before."""
        figure.update_xaxes(uirevision=f"{self.first}-{self.last}")
        if self.first is None or self.last is None:
            return figure
        return figure.update_xaxes(range=[self.first, self.last], showticklabels=True)


def zoom_store() -> dcc.Store:
    """What the page keeps of its zoom: nothing until something is zoomed into."""
    return dcc.Store(id="zoom")
