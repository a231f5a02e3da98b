"""Health in words and as a ring."""

from __future__ import annotations

from typing import Final

import dash_mantine_components as dmc
from dash import html

from trainvitals.wire.answers import RunSummary

SICK_BELOW: Final = 50
WATCHED_BELOW: Final = 80


def state_of(health: int | None) -> str:
    """ "ok", "warning" or "critical"; "info" before anything was judged."""
    if health is None:
        return "info"
    return "critical" if health < SICK_BELOW else "warning" if health < WATCHED_BELOW else "ok"


def health_ring(summary: RunSummary) -> html.Div:
    """The score in a ring, and what it means."""
    state = state_of(summary.health)
    token = {"critical": "crit", "warning": "warn", "ok": "ok", "info": "fg-3"}[state]
    word = {"critical": "Sick", "warning": "Needs attention", "ok": "Healthy", "info": "Not judged yet"}[state]
    score = "–" if summary.health is None else str(summary.health)
    ring = dmc.RingProgress(
        size=68,
        thickness=6,
        roundCaps=True,
        sections=[{"value": summary.health or 0, "color": f"var(--tv-{token})"}],
        rootColor="var(--tv-line)",
        label=html.Div(score, className="tv-score"),
    )
    said = [
        html.Div("Health", className="tv-kpi-l"),
        html.Div(word, className=f"tv-hword tv-{token}"),
        html.Div(_open(summary), className="tv-sub"),
    ]
    return html.Div([ring, html.Div(said)], className="tv-health")


def _open(summary: RunSummary) -> str:
    counts = [
        f"{count} {severity}{'s' if severity == 'warning' and count > 1 else ''}"
        for severity, count in summary.open_findings.items()
        if count
    ]
    return f"open: {', '.join(counts)}" if counts else "no open findings"
