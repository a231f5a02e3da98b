"""A wish, made on a run's page, that the training be looked at closely for a while, and what becomes of it."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

CAPTURE_STEPS: Final = 20
WAITS_SECONDS: Final = 120.0  # twelve heartbeats: what a training has not heard of by then would surprise it

CaptureOutcome = Literal["begun", "too soon", "not watched"]


class CaptureAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the training says to the request ``number``. ``PUT /api/v1/runs/{run_id}/capture``; sending it again changes
    nothing.

    ``step``: of one that has begun, the first step that may be sampled for it; of one that came too soon, the first at
    which it may be asked for again.
    """

    number: int
    outcome: CaptureOutcome
    step: int = 0


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """The newest request of a run; requests are numbered from 1. ``outcome``: what the training says to it, None while
    it says nothing; see CaptureAnswer for ``step``."""

    number: int
    asked_at: float
    outcome: CaptureOutcome | None = None
    step: int = 0


class HeartbeatAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """The server knows that the training lives. ``capture``: the number of a request that waits for it."""

    capture: int | None = None


def waits(capture: Capture, *, now: float) -> bool:
    """Whether the training is still to be told of it. ``now`` in Unix seconds."""
    return capture.outcome is None and now - capture.asked_at < WAITS_SECONDS
