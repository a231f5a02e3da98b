"""What was recorded of one layer, and what the page of all layers asks for."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from trainvitals.wire.answers import Curve, Heatmap, LayerHistograms, RunDetail
from trainvitals.wire.histograms import VALUE_KINDS
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.pages.absent import or_none
from trainvitals_dashboard.parts.layer_rows import order_of
from trainvitals_dashboard.parts.layers_body import FIRST_CHOICE, LayersView


async def stat_curve(api: Api, run_id: str, stat: str, layer: str) -> Curve | None:
    """A stat; None where it was not recorded."""
    return await or_none(api.stat_curve(run_id, stat, layer))


async def layer_curves(api: Api, run_id: str, layer: str, *, stats: Sequence[str]) -> dict[str, Curve]:
    """Those of the ``stats`` that were ever a number, in their order."""
    curves = await asyncio.gather(*(stat_curve(api, run_id, stat, layer) for stat in stats))
    return {
        stat: curve
        for stat, curve in zip(stats, curves, strict=True)
        if curve is not None and any(math.isfinite(value) for value in curve.mean.tolist())
    }


async def layer_histograms(api: Api, run_id: str, layer: str) -> list[LayerHistograms]:
    """Of each kind of values that was recorded."""
    found = await asyncio.gather(*(or_none(api.histograms(run_id, kind, layer)) for kind in VALUE_KINDS))
    return [one for one in found if one is not None]


async def layers_view(api: Api, detail: RunDetail, *, stat: str = "", text: str = "", order: str = "") -> LayersView:
    """Of the page of all layers, as it was chosen; without a ``stat`` there is no heatmap."""
    run_id = detail.summary.run_id
    found, heatmap, snapshot = await asyncio.gather(
        api.findings(run_id), _heatmap(api, run_id, stat), or_none(api.snapshot(run_id))
    )
    return LayersView(
        detail=detail,
        found=found,
        stat=stat or FIRST_CHOICE,
        heatmap=heatmap,
        snapshot=snapshot,
        text=text or "",
        order=order_of(order),
    )


async def _heatmap(api: Api, run_id: str, stat: str) -> Heatmap | None:
    return await or_none(api.heatmap(run_id, stat)) if stat else None
