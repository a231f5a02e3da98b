"""What a script adds to its run while it goes on: settings, a summary, what metrics mean, alerts."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from trainvitals.wire.messages import Severity

Goal = Literal["minimize", "maximize"]
Role = Literal["loss", "validation_loss"]


class MetricDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """What a script says of a metric, or of all whose names match ("val/*"). ``summary``: which of its values counts in
    the end ("min", "max", "best", "mean", "last", or several with commas). ``step_metric`` is kept as it was given.
    ``role``: what rules and pages take the metric for, whatever it is called."""

    summary: str | None = None
    goal: Goal | None = None
    step_metric: str | None = None
    role: Role | None = None


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What a script itself has to tell people."""

    title: str
    text: str = ""
    level: Severity = "warning"
    step: int | None = None
    at: float = 0.0


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What is new since the writer's last note. ``POST /api/v1/runs/{run_id}/notes``; known by (run, writer, seq), so
    that sending it twice is harmless. Those of one writer come in order."""

    writer: int
    seq: int
    config: dict[str, Any] = {}  # Any: settings are the user's own
    summary: dict[str, Any] = {}  # Any: so are results
    metrics: dict[str, MetricDefinition] = {}
    alerts: list[Alert] = []


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """All notes of a run taken together, but for its settings. ``alerts``: the newest ones, the oldest first."""

    summary: dict[str, Any] = {}  # Any: as the script noted it
    metrics: dict[str, MetricDefinition] = {}
    alerts: list[Alert] = []
