"""The button that asks a training for a close look, and what becomes of it."""

from __future__ import annotations

from typing import Final

from dash import dcc, html

from trainvitals.wire.answers import RunDetail
from trainvitals.wire.capture import CAPTURE_STEPS, waits
from trainvitals_dashboard.parts.cards import Piece

TICK_MILLISECONDS: Final = 2000
MEANS: Final = f"Have the training sample its next {CAPTURE_STEPS} steps, every one"


def capture(detail: RunDetail, *, now: float) -> html.Div:
    """To stand in the head of a run's page. The button stays the same while what is said changes, so that who reached
    it by the keyboard keeps it."""
    parts: list[Piece] = [
        html.Button("Capture", id="capture-ask", className="tv-button tv-off", title=MEANS),
        html.Span(said(detail, now=now), id="capture-said", className="tv-sub", role="status"),
        dcc.Interval(id="capture-tick", interval=TICK_MILLISECONDS, disabled=not is_under_way(detail, now=now)),
    ]
    return html.Div(parts, id="capture", hidden=not is_offered(detail))


def is_offered(detail: RunDetail) -> bool:
    """Whether there is a training to ask."""
    return detail.summary.status == "running"


def is_under_way(detail: RunDetail, *, now: float) -> bool:
    """Whether what is said of it is about to change."""
    known = detail.capture
    if known is None or not is_offered(detail):
        return False
    return waits(known, now=now) or (known.outcome == "begun" and not _is_done(detail))


def said(detail: RunDetail, *, now: float) -> str:
    """What became of the newest request; nothing where there is none, or nothing to be said of it any more."""
    known = detail.capture
    if known is None:
        return ""
    if known.outcome is None:
        asked = f"Asked; the training will sample its next {CAPTURE_STEPS} steps."
        return asked if waits(known, now=now) else "The training did not answer. Ask again."
    if known.outcome == "not watched":
        return "Nothing to sample: no model is watched."
    if known.outcome == "too soon":
        was_lately = (detail.summary.last_step or 0) < known.step
        return f"Captured just now; again from step {known.step:,}." if was_lately else ""
    last = known.step + CAPTURE_STEPS - 1
    if _is_done(detail):
        return f"Captured steps {known.step:,} to {last:,}."
    return f"Sampling steps {known.step:,} to {last:,}."


def _is_done(detail: RunDetail) -> bool:
    known, at = detail.capture, detail.summary.last_step
    return known is not None and at is not None and at >= known.step + CAPTURE_STEPS
