"""How symptoms become findings with a life: opened when confirmed, updated while they last, resolved when gone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from trainvitals.wire.messages import Finding, FindingAct, FindingState
from trainvitals_server.diagnosis.grouping import group_layers
from trainvitals_server.diagnosis.joining import causes
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.evaluator.acting import acted_upon, is_graver, noted

CONFIRMATIONS: Final = 2
QUIET_BEFORE_RESOLVED: Final = 3  # looks; twice as many each time that it has come back, …
MOST_PATIENCE: Final = 4  # … up to so many times
MILD_BEFORE_MILDER: Final = 3  # looks at which it is less grave, before it is said to be
AT_ONCE: Final = frozenset({"non_finite_values", "run_stalled"})  # exact: nothing is gained by waiting
GONE_AT_ONCE: Final = frozenset({"run_stalled"})  # with the next step, or the run's end
NEVER_GONE: Final = frozenset({"non_finite_values"})  # weights that are NaN stay so, even when the stream ends


@dataclass(slots=True)
class Life:
    """The findings of one run, and what waits to become one."""

    run_id: str
    findings: dict[str, Finding] = field(default_factory=dict)
    _spoken: dict[str, list[int]] = field(default_factory=dict)  # of each look in a row, since which step
    _quiet: dict[str, int] = field(default_factory=dict)
    _mild: dict[str, int] = field(default_factory=dict)
    _rewound: set[str] = field(default_factory=set)  # found in steps that were since taken back

    def resume(self, step: int) -> None:
        """The run was taken up again from ``step``: what was found there and after may be gone."""
        self._rewound |= {id_ for id_, finding in self.findings.items() if finding.first_step >= step}

    def followed(self) -> Set[str]:
        """Rules whose symptoms count between two moments to judge: what is certain, and what is open."""
        return AT_ONCE | {finding.rule for finding in self.findings.values() if finding.state != "resolved"}

    def judge(
        self, symptoms: Iterable[Symptom], *, now: float, step: int = 0, is_last: bool = False, is_moment: bool = True
    ) -> list[Finding]:
        """Findings that opened, changed or were resolved by these symptoms, the run being at ``step``. ``is_last``: the
        run has ended, so that nothing is resolved for want of new data, and nothing waits for a second look. Between
        two moments to judge (not ``is_moment``) only what is certain opens or resolves, and nothing is confirmed."""
        lasting = [symptom for symptom in symptoms if not (is_last and symptom.rule in GONE_AT_ONCE)]
        speaking = {finding_id(self.run_id, symptom): symptom for symptom in lasting}
        changed = [
            self._speak(
                id_,
                self._steadied(id_, symptom, is_moment=is_moment, is_last=is_last),
                now=now,
                step=step,
                is_last=is_last,
            )
            for id_, symptom in speaking.items()
            if is_moment or is_last or symptom.rule in AT_ONCE or self._is_open(id_)
        ]
        silent = [id_ for id_ in self.findings if id_ not in speaking]
        at_once = [id_ for id_ in silent if self.findings[id_].rule in GONE_AT_ONCE]
        changed.extend(self._fall_quiet(id_, now=now, step=step) for id_ in at_once)
        if not is_moment and not is_last:
            return [finding for finding in changed if finding is not None]
        for id_ in list(self._spoken):
            if id_ not in speaking:
                del self._spoken[id_]
        if not is_last:
            changed.extend(self._fall_quiet(id_, now=now, step=step) for id_ in silent if id_ not in at_once)
        return [finding for finding in changed if finding is not None]

    def mute(self, why: Mapping[str, str], *, now: float, step: int) -> list[Finding]:
        """Resolve what stands of these rules, the run being at ``step``; ``why``: rule → what its history is to say of
        it."""
        gone = [
            _resolved(finding, now=now, step=step, comment=why[finding.rule])
            for finding in self.findings.values()
            if finding.rule in why and finding.state != "resolved"
        ]
        self.findings |= {finding.finding_id: finding for finding in gone}
        return gone

    def join(self, follows_from: Callable[[str], Sequence[str]], *, now: float) -> list[Finding]:
        """Say of findings from which they follow; those of which something else was said before."""
        found = causes(self.findings.values(), follows_from)
        changed = [
            msgspec.structs.replace(finding, cause_id=found.get(id_), updated_at=now)
            for id_, finding in self.findings.items()
            if finding.cause_id != found.get(id_)
        ]
        self.findings |= {finding.finding_id: finding for finding in changed}
        return changed

    def act(self, finding_id: str, act: FindingAct, *, now: float, step: int) -> Finding | None:
        """Do what a person says about a finding, the run being at ``step``; None if there is no such finding."""
        known = self.findings.get(finding_id)
        if known is None:
            return None
        self._spoken.pop(finding_id, None)
        self._quiet.pop(finding_id, None)
        self.findings[finding_id] = acted_upon(known, act, now=now, step=step)
        return self.findings[finding_id]

    def _speak(self, id_: str, symptom: Symptom, *, now: float, step: int, is_last: bool) -> Finding | None:
        known = self.findings.get(id_)
        self._quiet.pop(id_, None)
        self._rewound.discard(id_)
        if known is not None and _is_closed_to(known, symptom):
            return None
        if known is None or known.state == "resolved":
            looks = self._spoken.setdefault(id_, [])
            looks.append(symptom.first_step)
            if len(looks) < CONFIRMATIONS and symptom.rule not in AT_ONCE and not is_last:
                return None
            symptom = replace(symptom, first_step=symptom.first_step if symptom.is_event else min(looks))
        finding = _finding(id_, self.run_id, symptom, known, now=now, step=step)
        if known is None or known.state == "resolved":
            self._spoken.pop(id_, None)
        if known is not None and msgspec.structs.replace(finding, updated_at=known.updated_at) == known:
            return None
        self.findings[id_] = finding
        return finding

    def _steadied(self, id_: str, symptom: Symptom, *, is_moment: bool, is_last: bool) -> Symptom:
        """It grows graver at once, and milder only when it stays so; with the end nothing grows milder."""
        known = self.findings.get(id_)
        if known is None or known.state == "resolved" or not is_graver(known.severity, symptom.severity):
            self._mild.pop(id_, None)
            return symptom
        looks = self._mild[id_] = self._mild.get(id_, 0) + is_moment
        if looks >= MILD_BEFORE_MILDER and not is_last:
            return symptom
        if symptom.is_event:
            symptom = replace(symptom, first_step=known.first_step, last_step=known.last_step)
        return replace(symptom, severity=known.severity, summary=known.summary, evidence=known.evidence)

    def _is_open(self, id_: str) -> bool:
        known = self.findings.get(id_)
        return known is not None and known.state != "resolved"

    def _fall_quiet(self, id_: str, *, now: float, step: int) -> Finding | None:
        known = self.findings[id_]
        if known.state == "resolved" or (known.rule in NEVER_GONE and id_ not in self._rewound):
            return None
        self._mild.pop(id_, None)
        self._quiet[id_] = self._quiet.get(id_, 0) + 1
        looks = QUIET_BEFORE_RESOLVED * min(2 ** _times_gone(known), MOST_PATIENCE)
        if self._quiet[id_] < looks and known.rule not in GONE_AT_ONCE:
            return None
        self.findings[id_] = _resolved(known, now=now, step=step)
        return self.findings[id_]


def _times_gone(finding: Finding) -> int:
    """How often it has resolved by itself, and come back."""
    return sum(event.state == "resolved" and not event.by and not event.comment for event in finding.history)


def finding_id(run_id: str, symptom: Symptom) -> str:
    """The same for the same cause in the same run, whoever finds it."""
    name = f"{run_id}/{symptom.rule}/{symptom.key}"
    return hashlib.blake2s(name.encode(), digest_size=8).hexdigest()


def _resolved(known: Finding, *, now: float, step: int, comment: str = "") -> Finding:
    gone = msgspec.structs.replace(known, state="resolved", resolved_at=now, updated_at=now, snoozed_until=None)
    return noted(gone, now=now, step=step, comment=comment)


def _is_closed_to(known: Finding, symptom: Symptom) -> bool:
    """Whether a person has resolved it, who need not be told of it again unless it is worse."""
    return known.state == "resolved" and known.closed_by is not None and not is_graver(symptom.severity, known.severity)


def _state(known: Finding | None, symptom: Symptom, *, step: int) -> FindingState:
    """What people said of it holds while it grows no graver, and a snooze until it is over."""
    if known is None or known.state == "resolved" or is_graver(symptom.severity, known.severity):
        return "open"
    is_over = known.state == "snoozed" and known.snoozed_until is not None and step >= known.snoozed_until
    return "open" if is_over else known.state


def _finding(id_: str, run_id: str, symptom: Symptom, known: Finding | None, *, now: float, step: int) -> Finding:
    state = _state(known, symptom, step=step)
    began = known.first_step if known and not symptom.is_event else symptom.first_step
    finding = Finding(
        finding_id=id_,
        run_id=run_id,
        rule=symptom.rule,
        severity=symptom.severity,
        state=state,
        layers=list(symptom.layers),
        where=group_layers(symptom.layers),
        first_step=min(symptom.first_step, began),
        last_step=symptom.last_step,
        opened_step=known.opened_step if known and began <= known.opened_step else step,
        summary=symptom.summary,
        evidence=symptom.evidence,
        causes=list(symptom.causes),
        arguments=list(symptom.arguments),
        advice=list(symptom.advice),
        opened_at=known.opened_at if known else now,
        updated_at=now,
        cause_id=known.cause_id if known else None,
        history=known.history if known else [],
        snoozed_until=known.snoozed_until if known and state == "snoozed" else None,
    )
    is_new = known is None or (known.state, known.severity) != (state, symptom.severity)
    return noted(finding, now=now, step=step) if is_new else finding
