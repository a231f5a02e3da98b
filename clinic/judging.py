"""Recorded trainings judged as the server judges them, without a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clinic.case import Case
from trainvitals.wire.messages import Finding
from trainvitals.wire.recording import Recording
from trainvitals_server.diagnosis.symptom import Rule
from trainvitals_server.evaluator.replaying import replay


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
    """What is found in a recorded run; of a finding that comes and goes, or grows graver, its first alarm."""
    worst: dict[str, Finding] = {}

    def note(found: Finding) -> None:
        known = worst.get(found.finding_id)
        is_graver = known is not None and known.severity == "info"
        worst[found.finding_id] = found if known is None or is_graver else known

    replay(recording, rules, on_finding=note)
    return Verdict(case=case, seed=seed, steps=recording.steps, findings=tuple(worst.values()))
