"""Recorded trainings judged as the server judges them, without a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clinic.case import Case
from clinic.recording import Recording
from trainvitals.wire.frame import Frame
from trainvitals.wire.messages import Finding
from trainvitals_server.diagnosis.symptom import Rule
from trainvitals_server.evaluator.history import History
from trainvitals_server.evaluator.judging import Judge
from trainvitals_server.evaluator.lifecycle import Life


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found in a run of a case, resolved findings too."""

    case: Case
    seed: int
    steps: int
    findings: tuple[Finding, ...]

    @property
    def alarms(self) -> list[Finding]:
        """Findings at warning or above that were ever open."""
        return [finding for finding in self.findings if finding.severity != "info"]

    @property
    def is_named(self) -> bool:
        """Whether the ill was named."""
        return any(finding.rule == self.case.diagnosis for finding in self.findings)

    @property
    def false_alarms(self) -> list[Finding]:
        """Alarms that neither name the ill nor follow from it."""
        right = self.case.follows | {self.case.diagnosis}
        return [finding for finding in self.alarms if finding.rule not in right]

    @property
    def delay(self) -> float | None:
        """Steps from the onset until the ill was named, as a share of the run; None if it was not."""
        opened = [finding.opened_step for finding in self.findings if finding.rule == self.case.diagnosis]
        return max(0, min(opened) - self.case.onset) / max(1, self.steps) if opened else None


def judge(case: Case, seed: int, recording: Recording, rules: Mapping[str, Rule]) -> Verdict:
    """Feed it to the rules, frame by frame."""
    history = History(recording.run_id, planned_steps=recording.start.planned_steps)
    life, judge_ = Life(recording.run_id), Judge(rules)
    worst: dict[str, Finding] = {}

    def look(frames: list[Frame], *, is_last: bool = False) -> None:
        for found in judge_.take(history, life, frames, now=0.0, is_moment=False, is_last=is_last):
            known = worst.get(found.finding_id)
            is_graver = known is not None and known.severity == "info"
            worst[found.finding_id] = found if known is None or is_graver else known

    for message in recording.messages:
        if isinstance(message, Frame):
            look([message])
        else:
            history.describe(message)
    look([], is_last=True)
    return Verdict(case=case, seed=seed, steps=recording.steps, findings=tuple(worst.values()))
