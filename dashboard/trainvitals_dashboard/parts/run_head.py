"""The head of a run's page: what it is, how far it is, how it does."""

from __future__ import annotations

import json
import time

import dash_mantine_components as dmc
from dash import html

from trainvitals.wire.answers import RunDetail, RunSummary
from trainvitals_dashboard import words
from trainvitals_dashboard.gathering import RunView
from trainvitals_dashboard.parts.cards import Piece, pill
from trainvitals_dashboard.parts.health import health_ring
from trainvitals_dashboard.parts.optimizers import optimizers


def head(view: RunView) -> list[Piece]:
    """Name, status, what is known of the run in one line, optimizers, progress; health to the right."""
    summary, now = view.detail.summary, time.time()
    facts: list[Piece] = [
        html.Span(["step ", html.B(f"{summary.last_step or 0:,}", **{"data-live": "step"}), _of(view)])
    ]
    facts.append(html.Span(f"{_parameters(view.detail)} parameters")) if view.detail.layers else None
    facts += [html.Span(f"{summary.ranks} ranks")] if summary.ranks > 1 else []
    facts.append(_duration(summary, now=now))
    facts += [html.Span(tag, className="tv-tag") for tag in summary.tags]
    facts.append(html.Span(summary.run_id, className="tv-id", title="The run's id"))
    title = [html.H1(summary.name, className="tv-h1"), pill(summary.status), _quiet(summary)]
    left = [html.Div(title, className="tv-title"), html.Div(facts, className="tv-meta")]
    left += optimizers(view.detail.optimizers)
    if summary.status == "lost":
        left.append(html.Div(words.LOST, className="tv-explained"))
    if view.detail.planned_steps:
        done = min(100.0, 100 * (summary.last_step or 0) / view.detail.planned_steps)
        left.append(dmc.Progress(value=done, size=4, radius="xl", color="tv", className="tv-prog"))
    if view.detail.error:
        left.append(html.Div(view.detail.error, className="tv-error tv-crit"))
    return [html.Div(left, className="tv-runhead-l"), health_ring(summary, view.findings)]


def _quiet(summary: RunSummary) -> html.Span:
    """Where 36-clocks.js says for how long nothing came, while that is unusual."""
    known = {name: getattr(summary, name) for name in ("status", "heartbeat_at", "data_at", "data_every")}
    return html.Span(className="tv-quiet", **{"data-quiet": json.dumps(known)})


def _duration(summary: RunSummary, *, now: float) -> html.Span:
    """The browser goes on counting from ``data-elapsed``."""
    if summary.status == "running":
        elapsed = now - summary.created_at
        return html.Span(f"running for {words.duration(elapsed)}", **{"data-elapsed": f"{elapsed:.1f}"})
    ended = summary.ended_at or summary.heartbeat_at
    return html.Span(f"ran for {words.duration(ended - summary.created_at)}")


def _of(view: RunView) -> str:
    return f" / {view.detail.planned_steps:,}" if view.detail.planned_steps else ""


def _parameters(detail: RunDetail) -> str:
    total = float(sum(layer.parameters for layer in detail.layers))
    for size, unit in ((1e9, " B"), (1e6, " M"), (1e3, " k")):
        if total >= size:
            return f"{total / size:.3g}{unit}"
    return f"{total:.0f}"
