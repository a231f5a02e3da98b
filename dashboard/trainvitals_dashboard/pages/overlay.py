"""/overlay?runs=a,b&metric=loss: one metric of several runs in one plot; the URL is the state."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, html

from trainvitals.wire.answers import RunDetail
from trainvitals_dashboard import words
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.figures.lines import NamedCurve, overlay
from trainvitals_dashboard.parts.cards import Piece, card, graph, legend, notice
from trainvitals_dashboard.parts.outcome import differences, outcome
from trainvitals_dashboard.parts.page import page, plainly
from trainvitals_dashboard.theme import SERIES

MAX_RUNS: Final = len(SERIES)
LOG_METRICS: Final = ("grad_norm",)


def register(app: Dash, api: Api) -> None:
    """The page and its callbacks."""

    @plainly
    async def layout(runs: str = "", metric: str = "loss", **_: str) -> html.Div:
        chosen = [name for name in runs.split(",") if name][:MAX_RUNS]
        found = await api.runs()
        details = await asyncio.gather(*(api.run(run_id) for run_id in chosen))
        options = [{"value": summary.run_id, "label": f"{summary.name} · {summary.project}"} for summary in found.runs]
        curves = await named_curves(api, details, metric)
        body = [_head(options, chosen, details, metric), *_body(details, curves, metric)]
        return page(body, live={"all": True, "overlay": chosen, "metric": metric})

    dash.register_page("trainvitals.overlay", path="/overlay", layout=layout, title="Overlay · trainvitals")
    app.clientside_callback(
        ClientsideFunction("trainvitals", "choose"),
        Output("url", "search"),
        Input("overlay-runs", "value"),
        Input("overlay-metric", "value"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output("g-overlay", "figure"),
        Input("live-reload", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw(_reload: Any, live: dict[str, Any]) -> Any:
        details = await asyncio.gather(*(api.run(run_id) for run_id in live["overlay"]))
        return overlay(await named_curves(api, details, live["metric"]), log=live["metric"] in LOG_METRICS)


async def named_curves(api: Api, details: Sequence[RunDetail], metric: str) -> list[NamedCurve]:
    """The metric of those runs that logged it."""
    logged = [detail.summary for detail in details if metric in detail.metrics]
    curves = await asyncio.gather(*(api.metric_curve(summary.run_id, metric) for summary in logged))
    return [NamedCurve(name=summary.name, curve=curve) for summary, curve in zip(logged, curves, strict=True)]


def _head(options: list[dict[str, str]], chosen: list[str], details: Sequence[RunDetail], metric: str) -> html.Div:
    metrics = sorted({name for detail in details for name in detail.metrics} | {metric})
    runs = dmc.MultiSelect(
        id="overlay-runs", data=options, value=chosen, size="xs", maxValues=MAX_RUNS, searchable=False,
        placeholder="Pick up to five runs" if not chosen else "", className="tv-pick", **{"aria-label": "Runs"},
    )  # fmt: skip
    choice = dmc.Select(
        id="overlay-metric", data=[{"value": name, "label": words.metric(name)} for name in metrics], value=metric,
        size="xs", w=170, allowDeselect=False, **{"aria-label": "Metric"},
    )  # fmt: skip
    return html.Div(
        [html.H1("Overlay", className="tv-h1"), html.Div([runs, choice], className="tv-head-r")],
        className="tv-runhead tv-runhead-runs",
    )


def _body(details: Sequence[RunDetail], curves: list[NamedCurve], metric: str) -> list[Piece]:
    if not details:
        return [notice("Nothing chosen", "Pick runs above, or tick them in the table of runs and follow the link.")]
    key = [(named.name, SERIES[index % MAX_RUNS], "ln") for index, named in enumerate(curves)]
    figure = overlay(curves, log=metric in LOG_METRICS)
    plot = graph("g-overlay", figure, height=460, label=f"{words.metric(metric)} of {len(curves)} runs")
    missing = [detail.summary.name for detail in details if metric not in detail.metrics]
    sub = f"not logged by {', '.join(missing)}" if missing else None
    left = [card(words.metric(metric), plot, right=legend(key), sub=sub)]
    right = [card("Outcome", outcome(details, metric), name="tv-outcome"), *differences(details)]
    return [html.Div([html.Div(left, className="tv-col"), html.Div(right, className="tv-col")], className="tv-grid")]
