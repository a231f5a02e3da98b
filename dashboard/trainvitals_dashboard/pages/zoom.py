"""Zooming into the loss: the part in view is asked for anew, at full resolution."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from trainvitals.wire.answers import Curve
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.figures.lines import loss
from trainvitals_dashboard.gathering import empty_curve, loss_metric, validation_loss_metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Zoom:
    """The steps in view; None is open."""

    first: int | None = None
    last: int | None = None

    @classmethod
    def of_figure(cls, figure: dict[str, Any]) -> Zoom:  # Any: a figure as the browser holds it
        """The zoom at which a figure was drawn."""
        span = figure.get("layout", {}).get("meta", {}).get("zoom") or {}
        return cls(first=span.get("first"), last=span.get("last"))


def zoom_of(relayout: dict[str, Any] | None) -> Zoom | None:  # Any: plotly's event
    """What the event asks for; None if it is about something else."""
    relayout = relayout or {}
    if "xaxis.range[0]" in relayout:
        low, high = float(relayout["xaxis.range[0]"]), float(relayout["xaxis.range[1]"])
        return Zoom(first=max(0, math.floor(low)), last=max(0, math.ceil(high)))
    return Zoom() if relayout.get("xaxis.autorange") else None


async def zoomed(api: Api, run_id: str, zoom: Zoom) -> go.Figure:
    """The loss chart over the zoom. A chart that ends in the past does not grow."""
    detail, found = await asyncio.gather(api.run(run_id), api.findings(run_id))
    train = await _curve(api, run_id, loss_metric(detail), detail.metrics, zoom)
    name = validation_loss_metric(detail)
    validation = await _curve(api, run_id, name, detail.metrics, zoom) if name else None
    live = zoom.last is None or zoom.last >= (detail.summary.last_step or 0)
    last = detail.summary.last_step
    figure = loss(train, validation=validation, findings=found.findings, live=live, last_step=last)
    if zoom.first is not None and zoom.last is not None:
        figure.update_xaxes(range=[zoom.first, zoom.last], showticklabels=True)
    return figure.update_layout(meta={**figure.layout.meta, "zoom": {"first": zoom.first, "last": zoom.last}})


async def _curve(api: Api, run_id: str, metric: str, known: list[str], zoom: Zoom) -> Curve:
    if metric not in known:
        return empty_curve(run_id, metric)
    return await api.metric_curve(run_id, metric, first=zoom.first, last=zoom.last)
