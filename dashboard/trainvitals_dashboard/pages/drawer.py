"""The drawer: one finding with its evidence drawn, or one layer with its stats."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from dash import Dash, Input, Output, State, html, no_update

from trainvitals.wire.answers import Curve, LayerHistograms
from trainvitals.wire.histograms import VALUE_KINDS, ValueKind
from trainvitals_dashboard import words
from trainvitals_dashboard.api import Api, ApiError
from trainvitals_dashboard.figures.lines import single
from trainvitals_dashboard.pages.evidence import evidence_chart, stat_curve
from trainvitals_dashboard.parts.cards import Piece, graph
from trainvitals_dashboard.parts.distributions import distributions
from trainvitals_dashboard.parts.finding_acts import finding_acts
from trainvitals_dashboard.parts.findings import finding_in_full, title_of
from trainvitals_dashboard.parts.layer_head import layer_head

Opened = tuple[Any, Any, Any]  # Dash's outputs: opened, title, content


async def finding_drawer(api: Api, run_id: str, finding_id: str, *, refused: str = "") -> Opened:
    """The finding in full, and what the server ``refused`` to do about it; nothing happens if there is no such one."""
    findings = (await api.findings(run_id)).findings
    finding = next((finding for finding in findings if finding.finding_id == finding_id), None)
    if finding is None:
        return no_update, no_update, no_update
    detail, chart = await asyncio.gather(api.run(run_id), evidence_chart(api, finding))
    whole = finding_in_full(finding, chart, among=findings, layers=detail.layers, optimizers=detail.optimizers)
    whole.append(finding_acts(finding, refused=refused))
    return True, title_of(finding.rule), whole


async def layer_drawer(api: Api, run_id: str, layer: str) -> Opened:
    """The layer's stats over the run: all that were ever a number; and how its values were distributed."""
    detail, found = await asyncio.gather(api.run(run_id), api.findings(run_id))
    curves = await asyncio.gather(*(stat_curve(api, run_id, stat, layer) for stat in words.STAT_WORDS))
    plots: list[Piece] = distributions(await _histograms(api, run_id, layer))
    for stat, curve in zip(words.STAT_WORDS, curves, strict=True):
        if curve is not None and any(math.isfinite(value) for value in curve.mean.tolist()):
            plots += [html.H3(words.stat(stat), className="tv-h3"), _plot(curve, stat)]
    told = next((one for one in detail.layers if one.name == layer), None)
    head = layer_head(told, found.findings, health=found.layer_health.get(layer, 100)) if told else []
    nothing = html.P("Nothing was recorded for this layer.", className="tv-p")
    return True, html.Code(layer), [*head, *(plots or [nothing])]


async def _histograms(api: Api, run_id: str, layer: str) -> list[LayerHistograms]:
    async def of_kind(kind: ValueKind) -> LayerHistograms | None:
        try:
            return await api.histograms(run_id, kind, layer)
        except ApiError as error:
            if error.status >= 500:
                raise
            return None

    return [one for one in await asyncio.gather(*map(of_kind, VALUE_KINDS)) if one is not None]


def _plot(curve: Curve, name: str) -> Piece:
    figure = single(curve, colour="s2", log=not words.is_linear(name), name=words.stat(name), live=False)
    return graph(f"g-drawer-{name}", figure, height=165, label=f"{words.stat(name)} over steps")


def register_drawer(app: Dash, api: Api) -> None:
    """Open the drawer on a click on a finding or a layer."""

    @app.callback(
        Output("drawer", "opened"),
        Output("drawer", "title"),
        Output("drawer", "children"),
        Input("drawer-asked", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def open_drawer(asked: dict[str, str] | None, live: dict[str, Any]) -> Opened:
        if not asked:
            return no_update, no_update, no_update
        drawer = layer_drawer if asked["kind"] == "layer" else finding_drawer
        return await drawer(api, live["run"], asked["name"])
