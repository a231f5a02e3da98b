"""What a person may do about a finding, and what was done about it before."""

from __future__ import annotations

import time
from typing import Final

import dash_mantine_components as dmc
from dash import html

from trainvitals.wire.messages import Act, Finding, FindingEvent
from trainvitals_dashboard import words
from trainvitals_dashboard.parts.health import ENDED

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


def finding_acts(finding: Finding, *, status: str, refused: str = "") -> html.Div:
    """Buttons, a place for a comment, and the history, as the drawer has them; ``status``: the run's."""
    return html.Div(
        [
            html.H3("What is done about it", className="tv-h3"),
            comment_box("finding"),
            act_buttons(finding, "finding", status=status),
            html.Div(refused, className="tv-crit", role="alert"),
            history(finding),
        ],
        **{"data-acts": finding.finding_id},
    )


def comment_box(place: str) -> dmc.Textarea:
    """A place for a comment; ``place`` begins its id, as those of the buttons."""
    return dmc.Textarea(
        id=f"{place}-said", placeholder="A comment, kept with what you do", autosize=True, minRows=1, maxRows=5,
        **{"aria-label": "Comment"},
    )  # fmt: skip


def act_buttons(finding: Finding | None, place: str, *, status: str) -> html.Div:
    """All buttons are always there, so that callbacks find them; those that mean nothing for the finding's state, or
    the run's ``status``, are hidden: a run that has ended has no steps to wait for."""
    offered: tuple[Act, ...] = (*OFFERED[finding.state], "comment") if finding is not None else ()
    if status in ENDED:
        offered = tuple(act for act in offered if act != "snooze")
    buttons = [
        html.Button(
            label, id=f"{place}-{act}", className="tv-button tv-off", title=MEANS[act], hidden=act not in offered
        )
        for act, label in LABELS.items()
    ]
    return html.Div(buttons, className="tv-acts")


def history(finding: Finding) -> html.Ol:
    """What became of it, the newest first."""
    return html.Ol([_event(event) for event in reversed(finding.history)], className="tv-history")


def _event(event: FindingEvent) -> html.Li:
    who = f" by {event.by}" if event.by else ""
    ago = words.duration(max(0.0, time.time() - event.at))
    at = f" at step {event.step:,}" if event.step is not None else ""
    said = html.Span(f"{event.severity}, {event.state}{who}{at}, {ago} ago", className="tv-dim")
    return html.Li([said, html.P(event.comment, className="tv-p") if event.comment else None])
