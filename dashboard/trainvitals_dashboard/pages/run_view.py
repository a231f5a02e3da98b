"""What the page of one run asks for, gathered at once, and how it is laid out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import dash_mantine_components as dmc
import plotly.graph_objects as go
from dash import html

from trainvitals.wire.answers import Curve, Heatmap, RunDetail, Snapshot
from trainvitals.wire.floats import Floats
from trainvitals.wire.messages import Finding
from trainvitals_dashboard import words
from trainvitals_dashboard.api import Api, ApiError
from trainvitals_dashboard.figures.heat import heat, scale
from trainvitals_dashboard.figures.lines import loss, single
from trainvitals_dashboard.parts.cards import Piece, card, graph, legend, pill
from trainvitals_dashboard.parts.colorbar import colorbar
from trainvitals_dashboard.parts.health import health_ring
from trainvitals_dashboard.parts.kpi import LOSSES, VALIDATION_LOSSES, pick

HEAT_STATS: Final = ("update_ratio", "grad_norm", "zero_fraction", "activation_std")
OWN_METRICS: Final = ("lr", "grad_norm", "elapsed_seconds", "overhead_fraction")
HEAT_HEIGHT_PX: Final = (200, 420)
ROW_PX: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run with the series that its page draws."""

    detail: RunDetail
    curves: dict[str, Curve] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    heatmap: Heatmap | None = None
    snapshot: Snapshot | None = None

    @property
    def loss(self) -> str:
        """The metric that the big chart shows."""
        return loss_metric(self.detail)

    def curve(self, metric: str) -> Curve:
        """The metric's curve; an empty one if nothing was logged yet."""
        return self.curves.get(metric) or empty_curve(self.detail.summary.run_id, metric)


async def gather_run(api: Api, run_id: str, *, stat: str) -> RunView:
    """Everything at once. Raises ApiError if there is no such run; what has no values yet is left out."""
    detail = await api.run(run_id)
    validation = pick(detail.metrics, VALIDATION_LOSSES)
    wanted = [name for name in (loss_metric(detail), validation, *OWN_METRICS) if name in detail.metrics]
    found = await asyncio.gather(
        api.findings(run_id),
        _or_none(api.heatmap(run_id, stat)),
        _or_none(api.snapshot(run_id)),
        *(_or_none(api.metric_curve(run_id, name)) for name in wanted),
    )
    curves = {name: curve for name, curve in zip(wanted, found[3:], strict=True) if curve is not None}
    return RunView(detail=detail, curves=curves, findings=found[0].findings, heatmap=found[1], snapshot=found[2])


async def _or_none(question: Any) -> Any:  # Any: an awaitable of any answer
    try:
        return await question
    except ApiError as error:
        if error.status >= 500:
            raise
        return None


def loss_metric(detail: RunDetail) -> str:
    """The training loss, else the first metric of the user's own."""
    own = [name for name in detail.metrics if name.partition("/")[0] not in OWN_METRICS]
    return pick(detail.metrics, LOSSES) or (own[0] if own else "loss")


def empty_curve(run_id: str, metric: str) -> Curve:
    """A curve before its first point."""
    none = Floats()
    return Curve(run_id=run_id, metric=metric, steps=[], last_steps=[], low=none, mean=none, high=none, nonfinite=[])


def head(view: RunView) -> list[Piece]:
    """Name, status, what is known of the run in one line, progress; health to the right."""
    summary, now = view.detail.summary, time.time()
    facts: list[Piece] = [
        html.Span(["step ", html.B(f"{summary.last_step or 0:,}", **{"data-live": "step"}), _of(view)])
    ]
    facts.append(html.Span(f"{_parameters(view.detail)} parameters")) if view.detail.layers else None
    facts += [html.Span(opt.kind) for opt in view.detail.optimizers]
    ended = summary.ended_at or (now if summary.status == "running" else summary.heartbeat_at)
    facts.append(
        html.Span(
            f"{'running for' if summary.status == 'running' else 'ran'} {words.duration(ended - summary.created_at)}"
        )
    )
    facts += [html.Span(tag, className="tv-tag") for tag in summary.tags]
    left = [
        html.Div([html.H1(summary.name, className="tv-h1"), pill(summary.status)], className="tv-title"),
        html.Div(facts, className="tv-meta"),
    ]
    if view.detail.planned_steps:
        done = min(100.0, 100 * (summary.last_step or 0) / view.detail.planned_steps)
        left.append(dmc.Progress(value=done, size=4, radius="xl", color="tv", className="tv-prog"))
    if view.detail.error:
        left.append(html.Div(view.detail.error, className="tv-error tv-crit"))
    return [html.Div(left, className="tv-runhead-l"), health_ring(summary)]


def left_column(view: RunView, *, stat: str) -> list[Piece]:
    """The curves and the heatmap."""
    key = [("smoothed", "s1", "ln"), ("as logged, low to high", "s1", "fa")]
    if pick(list(view.curves), VALIDATION_LOSSES):
        key.append(("validation", "s2", "do"))
    if view.findings:
        key.append(("finding", "crit", "dm"))
    control = dmc.SegmentedControl(
        id="heat-stat", value=stat, size="xs", data=[{"value": name, "label": words.stat(name)} for name in HEAT_STATS]
    )
    low, high = HEAT_HEIGHT_PX
    height = min(high, max(low, ROW_PX * len(view.heatmap.layers if view.heatmap else ()) + 40))
    loss_plot = graph("g-loss", loss_figure(view), height=240, label=f"{words.metric(view.loss)} over steps")
    lr_plot = graph("g-lr", small_figure(view, "lr"), height=150, label="Learning rate over steps")
    norm_plot = graph("g-norm", small_figure(view, "grad_norm"), height=150, label="Gradient norm over steps")
    heat_plot = graph("g-heat", heat_figure(view), height=height, label="Layers over steps")
    bar = html.Div(heat_bar(view), id="heat-bar")
    return [
        card(words.metric(view.loss), loss_plot, right=legend(key)),
        card("Layers over time", heat_plot, right=[bar, control], name="tv-heatcard"),
        html.Div(
            [card("Learning rate", lr_plot), card("Gradient norm", norm_plot, sub="global L2, log")], className="tv-two"
        ),
    ]


def loss_figure(view: RunView, *, live: bool = True) -> go.Figure:
    """The loss chart of the view."""
    validation = pick(list(view.curves), VALIDATION_LOSSES)
    beside = view.curves[validation] if validation and validation != view.loss else None
    return loss(view.curve(view.loss), validation=beside, findings=view.findings, live=live)


def small_figure(view: RunView, metric: str) -> go.Figure:
    """Learning rate or gradient norm."""
    colour = "s3" if metric == "grad_norm" else "fg-2"
    return single(view.curve(metric), colour=colour, log=metric == "grad_norm", name=words.metric(metric))


def heat_figure(view: RunView) -> go.Figure:
    """The heatmap of the view; empty if the stat has no values yet."""
    if view.heatmap is None:
        return heat(
            Heatmap(
                run_id="",
                stat="update_ratio",
                layers=[],
                steps=[],
                last_step=0,
                mean=Floats(),
                high=Floats(),
                nonfinite=[],
            )
        )
    return heat(view.heatmap, applicable=_with_parameters(view.detail))


def heat_bar(view: RunView) -> Piece:
    """The heatmap's colour bar."""
    return colorbar(scale(view.heatmap)) if view.heatmap else None


def _with_parameters(detail: RunDetail) -> Sequence[str] | None:
    return [layer.name for layer in detail.layers if layer.parameters] or None


def _of(view: RunView) -> str:
    return f" / {view.detail.planned_steps:,}" if view.detail.planned_steps else ""


def _parameters(detail: RunDetail) -> str:
    total = float(sum(layer.parameters for layer in detail.layers))
    for size, unit in ((1e9, " B"), (1e6, " M"), (1e3, " k")):
        if total >= size:
            return f"{total / size:.3g}{unit}"
    return f"{total:.0f}"
