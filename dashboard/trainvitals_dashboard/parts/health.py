"""Health in words and as a ring."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import dash_mantine_components as dmc
from dash import html

from trainvitals.wire.answers import RunSummary
from trainvitals.wire.messages import Finding

SICK_BELOW: Final = 50
WATCHED_BELOW: Final = 80
FULL: Final = 100
BY_GRAVITY: Final = ("critical", "warning", "info")
ENDED: Final = ("finished", "stopped", "failed")
BROKEN: Final[dict[str, str]] = {"failed": "It failed", "lost": "It was lost"}  # the word in health's place


def state_of(health: int | None) -> str:
    """ "ok", "warning" or "critical"; "info" before anything was judged."""
    if health is None:
        return "info"
    return "critical" if health < SICK_BELOW else "warning" if health < WATCHED_BELOW else "ok"


def told_health(summary: RunSummary) -> int | None:
    """Its health; None where that is not known: nothing was judged, or nothing found in a run that failed or was lost,
    or by rules most of which had too little to go by."""
    says_little = summary.little_known or summary.status in BROKEN
    return None if says_little and summary.health == FULL else summary.health


def health_ring(summary: RunSummary, findings: Iterable[Finding] = ()) -> html.Div:
    """The score in a ring, and what it means; of ``findings`` also what is out of it because of what people did."""
    health = told_health(summary)
    state = state_of(health)
    token = {"critical": "crit", "warning": "warn", "ok": "ok", "info": "fg-3"}[state]
    word = {"critical": "Sick", "warning": "Needs attention", "ok": "Healthy", "info": _unknown(summary)}[state]
    ring = dmc.RingProgress(
        size=68,
        thickness=6,
        roundCaps=True,
        sections=[{"value": health, "color": f"var(--tv-{token})"}] if health else [],
        rootColor="var(--tv-line)",
        label=html.Div(score(summary), className="tv-score"),
    )
    said = [
        html.Div("Health", className="tv-kpi-l"),
        html.Div(word, className=f"tv-hword tv-{token}"),
        html.Div(", ".join([_open(summary), *_dealt_with(findings)]), className="tv-sub"),
    ]
    return html.Div([ring, html.Div(said)], className="tv-health")


def score(summary: RunSummary) -> str:
    """Its health as a number, or a dash."""
    health = told_health(summary)
    return "–" if health is None else str(health)


def _unknown(summary: RunSummary) -> str:
    if summary.health is None:
        return "Not judged yet" if summary.status == "running" else "Not judged"
    if summary.status in BROKEN:
        return BROKEN[summary.status]
    return "Little known yet" if summary.status == "running" else "Little known"


def _dealt_with(findings: Iterable[Finding]) -> list[str]:
    """What a person has snoozed or resolved does not cost health; that it is there should be seen beside a hundred."""
    listed = [one for one in findings if one.severity != "info"]
    snoozed = sum(one.state == "snoozed" for one in listed)
    closed = sum(one.state == "resolved" and one.closed_by is not None for one in listed)
    return [f"{count} {word}" for count, word in ((snoozed, "snoozed"), (closed, "resolved by hand")) if count]


def _open(summary: RunSummary) -> str:
    counts = [
        f"{count} {severity}{'s' if severity == 'warning' and count > 1 else ''}"
        for severity, count in ((severity, summary.open_findings.get(severity, 0)) for severity in BY_GRAVITY)
        if count
    ]
    if counts:
        return f"open: {', '.join(counts)}"
    return "most rules have too little to go by" if summary.little_known else "no open findings"
