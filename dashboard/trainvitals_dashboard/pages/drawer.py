"""The drawer: one finding with its evidence drawn, or one layer with its stats."""

from __future__ import annotations

import asyncio
from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update

from trainvitals.wire.answers import Curve
from trainvitals_dashboard import words
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.figures.lines import single
from trainvitals_dashboard.pages.evidence import evidence_chart
from trainvitals_dashboard.pages.layer_series import layer_curves, layer_histograms
from trainvitals_dashboard.parts.addresses import layer_path, layer_word
from trainvitals_dashboard.parts.cards import Piece, graph
from trainvitals_dashboard.parts.distributions import distributions
from trainvitals_dashboard.parts.finding_acts import finding_acts
from trainvitals_dashboard.parts.findings import finding_in_full, title_of
from trainvitals_dashboard.parts.icons import icon
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
    whole.append(finding_acts(finding, status=detail.summary.status, refused=refused))
    return True, title_of(finding.rule), whole


async def layer_drawer(api: Api, run_id: str, layer: str) -> Opened:
    """The layer's stats over the run: all that were ever a number; and how its values were distributed."""
    detail, found = await asyncio.gather(api.run(run_id), api.findings(run_id))
    curves = await layer_curves(api, run_id, layer, stats=list(words.STAT_WORDS))
    plots: list[Piece] = distributions(await layer_histograms(api, run_id, layer))
    for stat, curve in curves.items():
        plots += [html.H3(words.stat(stat), className="tv-h3"), _plot(curve, stat)]
    told = next((one for one in detail.layers if one.name == layer), None)
    known = 100 if layer in detail.recorded_layers and curves else None  # of no number there is no health
    head = layer_head(told, found.findings, health=found.layer_health.get(layer, known)) if told else []
    nothing = html.P("Nothing was recorded for this layer.", className="tv-p")
    more = dcc.Link(
        ["All about this layer", icon("arrow-right", 15)], href=layer_path(run_id, layer), className="tv-more"
    )
    return True, html.Code(layer_word(layer)), [*head, *(plots or [nothing]), more]


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
