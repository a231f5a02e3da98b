"""A recorded run, judged as the server would have judged it, without a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trainvitals.wire.definitions import NONE
from trainvitals.wire.frame import Frame
from trainvitals.wire.messages import Finding
from trainvitals.wire.notes import MetricDefinition, Note
from trainvitals.wire.recording import Recording
from trainvitals_server.diagnosis.symptom import Rule
from trainvitals_server.evaluator.history import History
from trainvitals_server.evaluator.judging import Judge
from trainvitals_server.evaluator.lifecycle import Life


def replay(
    recording: Recording,
    rules: Mapping[str, Rule],
    *,
    definitions: Mapping[str, MetricDefinition] = NONE,
    on_finding: Callable[[Finding], None] = lambda finding: None,
) -> list[Finding]:
    """The findings that stand at the run's end, and those that were resolved. ``definitions`` of metrics stand above
    the script's own. ``on_finding`` is called whenever one opens, changes or is resolved."""
    start = recording.start
    history = History(recording.run_id, planned_steps=start.planned_steps, project=start.project, muted=start.mute)
    life, judge = Life(recording.run_id), Judge(rules)

    def look(frames: list[Frame], *, is_last: bool = False) -> None:
        for found in judge.take(history, life, frames, now=0.0, is_moment=False, is_last=is_last):
            on_finding(found)

    history.define(definitions)
    for message in recording.messages:
        if isinstance(message, Frame):
            look([message])
        elif isinstance(message, Note):
            history.define({**message.metrics, **definitions})
        else:
            history.describe(message)
    look([], is_last=True)
    return list(life.findings.values())
