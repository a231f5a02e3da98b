"""/runs/<run_id>/system: where a step's time goes, what watching costs, and the machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from dash import Dash, Input, Output, State, html

from trainvitals.wire.answers import Curve, RunDetail, RunSummary
from trainvitals_dashboard import words
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.figures.step_time import PARTS, WHOLE
from trainvitals_dashboard.gathering import LOOP_METRICS
from trainvitals_dashboard.pages.run_page import register_tab
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.ranks_card import ranks_card
from trainvitals_dashboard.parts.step_time_card import step_time_card, where_time_goes
from trainvitals_dashboard.parts.system_cards import (
    MACHINE,
    environment_card,
    how_fast,
    machine_card,
    overhead_card,
    throughput_card,
    what_it_costs,
)

POINTS = 400
MOST_OF_MACHINE = 48  # metrics: of eight GPUs
RATE, SHARE = "examples_per_second", "overhead_fraction"
TIMES = (*PARTS, WHOLE, RATE, SHARE)
Tell = Callable[[dict[str, Curve], RunSummary], list[Piece]]
SAID: dict[str, tuple[Sequence[str], Tell]] = {  # id: what is asked for, and the sentence
    "said-step-time": ((*PARTS, WHOLE), lambda curves, _: where_time_goes(curves)),
    "said-throughput": ((RATE,), lambda curves, _: how_fast(curves[RATE])),
    "said-overhead": ((SHARE,), lambda curves, run: what_it_costs(curves[SHARE], last_step=run.last_step)),
}


def register(app: Dash, api: Api) -> None:
    """The page and its callbacks."""

    async def body(detail: RunDetail, query: dict[str, str]) -> list[Piece]:
        times = html.Div(await cards(api, detail), id="system", className="tv-col tv-linked")
        right = html.Div(environment_card(detail), className="tv-col")
        return [html.Div([html.Div([times, ranks_card(detail)], className="tv-col"), right], className="tv-grid")]

    register_tab(api, "system", body)

    @app.callback(
        Output("system", "children"),
        Input("live-reload", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw(_reload: Any, live: dict[str, Any]) -> list[Piece]:
        return await cards(api, await api.run(live["run"]))

    for said, (names, tell) in SAID.items():
        _retell(app, api, said, names=names, tell=tell)


def _retell(app: Dash, api: Api, said: str, *, names: Sequence[str], tell: Tell) -> None:
    """A sentence alone, now and then, for what it says grows old: charts grow by themselves, and keep their zoom."""

    @app.callback(
        Output(said, "children"),
        Input("live-checklist", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def retell(_later: Any, live: dict[str, Any]) -> list[Piece]:
        detail = await api.run(live["run"])
        return tell(await _curves(api, detail, names), detail.summary)


async def cards(api: Api, detail: RunDetail) -> list[Piece]:
    """All that grows while the training goes on."""
    machine = of_machine(detail.metrics)
    curves = await _curves(api, detail, (*TIMES, *machine))
    small = [throughput_card(curves), overhead_card(curves, last_step=detail.summary.last_step)]
    told = [one for one in small if one is not None]
    return [
        step_time_card(curves),
        *([html.Div(told, className="tv-two" if len(told) > 1 else "")] if told else []),
        machine_card(machine, curves),
    ]


async def _curves(api: Api, detail: RunDetail, names: Sequence[str]) -> dict[str, Curve]:
    """Of those that the run has."""
    wanted = [name for name in names if name in detail.metrics]
    found = await asyncio.gather(*(api.metric_curve(detail.summary.run_id, name, points=POINTS) for name in wanted))
    return dict(zip(wanted, found, strict=True))


def of_machine(metrics: list[str]) -> list[str]:
    """What is told of the machine, in the order in which it is shown; GPUs one after another."""
    known = [name for name in LOOP_METRICS if name.startswith(MACHINE)]
    there = [name for name in metrics if name.startswith(MACHINE)]

    def place(name: str) -> tuple[int, int, str]:
        gpu = words.gpu_metric(name)
        if gpu is not None:
            return 1, gpu[0], str(list(words.GPU_WORDS).index(gpu[1]))
        return 0, known.index(name) if name in known else len(known), name

    return sorted(there, key=place)[:MOST_OF_MACHINE]
