"""The cards of the system page: throughput, what trainvitals costs, machine and GPUs, environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

import numpy as np
from dash import dcc, html

from trainvitals.wire.answers import Curve, RunDetail
from trainvitals_dashboard import words
from trainvitals_dashboard.figures.lines import single, values
from trainvitals_dashboard.figures.step_time import BUDGET, overhead
from trainvitals_dashboard.parts.addresses import run_path
from trainvitals_dashboard.parts.cards import Piece, card, graph, legend
from trainvitals_dashboard.parts.settings_card import environment_table

SMALL_PX: Final = 150
DENSE_STEPS: Final = 1000  # the first of a training, in which snapshots are close together
MACHINE: Final = "system/"


def throughput_card(curves: Mapping[str, Curve]) -> Piece:
    """Nothing where batches have no size."""
    name = "examples_per_second"
    if name not in curves:
        return None
    plot = graph(
        "g-throughput", single(curves[name], name=words.metric(name)), height=SMALL_PX, label=words.metric(name)
    )
    return card("Throughput", [html.P(how_fast(curves[name]), id="said-throughput", className="tv-sys-said"), plot])


def how_fast(curve: Curve) -> list[Piece]:
    """Over the newer half of what is drawn, and at best."""
    mean = values(curve.mean)
    mean = mean[np.isfinite(mean)]
    if not len(mean):
        return ["Nothing was measured yet."]
    usual, best = float(np.median(mean[len(mean) // 2 :])), float(mean.max())
    return [
        html.B(words.number(usual)),
        f" examples a second in the newer half of the run; {words.number(best)} at best.",
    ]


def overhead_card(curves: Mapping[str, Curve], *, last_step: int | None) -> Piece:
    """Nothing where nothing was watched."""
    name = "overhead_fraction"
    if name not in curves:
        return None
    plot = graph("g-overhead", overhead(curves[name]), height=SMALL_PX, label="What trainvitals costs over steps")
    key = legend([("overhead", "s1", "ln"), (f"budget {BUDGET:.0%}", "warn", "do")])
    body = [html.P(what_it_costs(curves[name], last_step=last_step), id="said-overhead", className="tv-sys-said"), plot]
    return card("What trainvitals costs", body, right=key)


def what_it_costs(curve: Curve, *, last_step: int | None) -> list[Piece]:
    """The newest share, and why it may be above the budget."""
    mean = values(curve.mean)
    mean = mean[np.isfinite(mean)]
    if not len(mean):
        return ["Nothing was measured yet."]
    share = float(mean[-1])
    said: list[Piece] = [html.B(f"{share:.2%}"), " of the training’s time over the last twenty snapshots. "]
    if share <= BUDGET:
        return [*said, f"The usual budget is {BUDGET:.0%}: snapshots are as far apart as it asks for."]
    if last_step is not None and last_step < DENSE_STEPS:
        return [
            *said,
            f"The first {DENSE_STEPS:,} steps are sampled densely, which dominates a short run; later snapshots are as "
            f"far apart as the budget, usually {BUDGET:.0%}, asks for.",
        ]
    above = f"That is above the usual budget of {BUDGET:.0%}: "
    why = " of watch asks for more, or a close look was taken."
    return [*said, above, html.Code("every="), " or ", html.Code("budget="), why]


def machine_card(names: Sequence[str], curves: Mapping[str, Curve]) -> html.Section:
    """Processor, memory and GPUs in small charts."""
    own = [name for name in names if words.gpu_metric(name) is None]
    gpus = [name for name in names if words.gpu_metric(name) is not None]
    body: list[Piece] = (
        [_charts(own, curves)]
        if own
        else [_none("Nothing was recorded of the machine: it is read while a model is watched.")]
    )
    if gpus:
        body += [html.H3("GPUs", className="tv-h3"), _charts(gpus, curves)]
    elif own:
        body.append(_none("No NVIDIA GPU was used by this process, so none is shown."))
    return card("Machine", body, name="tv-machine")


def _none(text: str) -> html.Div:
    return html.Div(text, className="tv-none")


def _charts(names: Sequence[str], curves: Mapping[str, Curve]) -> html.Div:
    cells = [
        html.Div([html.H3(words.metric(name), className="tv-h3 tv-metric-t", title=name), _small(name, curves[name])])
        for name in names
    ]
    return html.Div(cells, className="tv-metrics")


def _small(name: str, curve: Curve) -> html.Div:
    figure, key = single(curve, name=words.metric(name)), quote(name, safe="").replace(".", "%2E")
    return graph(f"g-system-{key}", figure, height=SMALL_PX, label=f"{words.metric(name)} over steps")


def environment_card(detail: RunDetail) -> html.Section:
    """Where it ran."""
    table = environment_table(detail)
    way = dcc.Link("Settings", href=run_path(detail.summary.run_id), className="tv-all")
    return card("Environment", table or _none("Where it ran is not known."), right=way, name="tv-settings")
