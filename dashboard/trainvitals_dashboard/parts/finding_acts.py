"""What a person may do about a finding, and what was done about it before."""

from __future__ import annotations

import time
from typing import Final

import dash_mantine_components as dmc
from dash import html

from trainvitals.wire.messages import Act, Finding, FindingEvent
from trainvitals_dashboard import words

SNOOZED_STEPS: Final = 1000
LABELS: Final[dict[Act, str]] = {
    "acknowledge": "Acknowledge",
    "snooze": f"Snooze {SNOOZED_STEPS:,} steps",
    "resolve": "Resolve",
    "reopen": "Open again",
    "comment": "Comment",
}
MEANS: Final[dict[Act, str]] = {
    "acknowledge": "Seen: it stays in the list until the symptom goes",
    "snooze": "Out of sight for a while, unless it grows graver",
    "resolve": "Dealt with, or no ill: it opens again only if it grows graver",
    "reopen": "It is not over",
    "comment": "Say something about it",
}
OFFERED: Final[dict[str, tuple[Act, ...]]] = {
    "open": ("acknowledge", "snooze", "resolve"),
    "acknowledged": ("snooze", "resolve", "reopen"),
    "snoozed": ("acknowledge", "resolve", "reopen"),
    "resolved": ("reopen",),
}


def finding_acts(finding: Finding, *, refused: str = "") -> html.Div:
    """Buttons, a place for a comment, and the history. All buttons are always there, so that callbacks find them; those
    that mean nothing for the finding's state are hidden."""
    offered = (*OFFERED[finding.state], "comment")
    buttons = [
        html.Button(
            label, id=f"finding-{act}", className="tv-button tv-off", title=MEANS[act], hidden=act not in offered
        )
        for act, label in LABELS.items()
    ]
    comment = dmc.Textarea(
        id="finding-said", placeholder="A comment, kept with what you do", autosize=True, minRows=1, maxRows=5,
        **{"aria-label": "Comment"},
    )  # fmt: skip
    return html.Div(
        [
            html.H3("What is done about it", className="tv-h3"),
            comment,
            html.Div(buttons, className="tv-acts"),
            html.Div(refused, className="tv-crit", role="alert"),
            html.Ol([_event(event) for event in reversed(finding.history)], className="tv-history"),
        ],
        **{"data-acts": finding.finding_id},
    )


def _event(event: FindingEvent) -> html.Li:
    who = f" by {event.by}" if event.by else ""
    ago = words.duration(max(0.0, time.time() - event.at))
    said = html.Span(f"{event.severity}, {event.state}{who}, {ago} ago", className="tv-dim")
    return html.Li([said, html.P(event.comment, className="tv-p") if event.comment else None])
