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
    """What was found in a run of a case, resolved findings too; ``roots``: the rules of those that in the end followed
    from no other."""

    case: Case
    seed: int
    steps: int
    findings: tuple[Finding, ...]
    roots: frozenset[str]

    @property
    def alarms(self) -> list[Finding]:
        """Findings at warning or above that were ever open."""
        return [finding for finding in self.findings if finding.severity != "info"]

    @property
    def is_named(self) -> bool:
        """Whether the ill was named."""
        return any(finding.rule == self.case.diagnosis for finding in self.findings)

    @property
    def is_warned_of(self) -> bool:
        """Whether it was named at warning or above."""
        return any(finding.rule == self.case.diagnosis for finding in self.alarms)

    @property
    def is_leading(self) -> bool:
        """Whether it was named as what leads, and not as what follows from another finding."""
        return self.case.diagnosis in self.roots

    @property
    def false_alarms(self) -> list[Finding]:
        """Alarms that neither name the ill nor follow from it."""
        right = self.case.follows | {self.case.diagnosis}
        return [finding for finding in self.alarms if finding.rule not in right]

    @property
    def delay_steps(self) -> int | None:
        """Steps from the onset until the ill was named; None if it was not."""
        opened = [finding.opened_step for finding in self.findings if finding.rule == self.case.diagnosis]
        return max(0, min(opened) - self.case.onset) if opened else None

    @property
    def delay(self) -> float | None:
        """The same as a share of the steps after the onset."""
        return None if self.delay_steps is None else self.delay_steps / max(1, self.steps - self.case.onset)


def judge(case: Case, seed: int, recording: Recording, rules: Mapping[str, Rule]) -> Verdict:
    """What is found in a recorded run; of a finding that comes and goes, or grows graver, its first alarm."""
    worst: dict[str, Finding] = {}
    last: dict[str, Finding] = {}

    def note(found: Finding) -> None:
        last[found.finding_id] = found
        known = worst.get(found.finding_id)
        is_graver = known is not None and known.severity == "info"
        worst[found.finding_id] = found if known is None or is_graver else known

    replay(recording, rules, on_finding=note)
    roots = frozenset(finding.rule for finding in last.values() if finding.cause_id is None)
    return Verdict(case=case, seed=seed, steps=recording.steps, findings=tuple(worst.values()), roots=roots)
