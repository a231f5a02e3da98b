"""The checklist of a run: its preflight, its findings and its record, stage by stage."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import msgspec

from trainvitals.wire.answers import RunDetail
from trainvitals.wire.checklist import STAGE_NAMES, Checklist, ChecklistLine, StageName, StageOutcome
from trainvitals.wire.messages import Finding, Severity
from trainvitals.wire.preflight import CheckStatus
from trainvitals_server.diagnosis.checklist.needs import GRADIENTS, LOSS, OUTPUTS, UPDATES, as_window
from trainvitals_server.diagnosis.checklist.records import records
from trainvitals_server.diagnosis.checklist.stages import CHECKS, ELSEWHERE, RULES, Place
from trainvitals_server.diagnosis.window import Window

ORDER: Final[dict[CheckStatus, int]] = {"failed": 0, "unknown": 1, "passed": 2}
GRAVITY: Final[dict[Severity, int]] = {"critical": 0, "warning": 1, "info": 2}
ADVICE_LINES: Final = 2
NOT_FINITE: Final = "non_finite_values"
BLINDED: Final = (LOSS, GRADIENTS, UPDATES, OUTPUTS)  # by what is not finite
LATEST: Final = max(place.steps for place in RULES.values())
LOOKED_AT: Final = 10  # steps, of which the first snapshots are: what they did not see is not on its way
MUTED: Final = "The script or the project has muted it: see trainvitals rules --project PROJECT."
PREFLIGHT: Final = "tv.preflight(model, loss_fn, (inputs, targets), optimizer)"

Lines = Iterator[tuple[StageName, ChecklistLine]]


def checklist(run: RunDetail, findings: Sequence[Finding], *, muted: Collection[str] = ()) -> Checklist:
    """What is known of each stage; within one, what failed comes first and what passed last. ``muted``: rules that do
    not judge the run, beside those that its script has muted."""
    window = as_window(run)
    found: dict[StageName, list[ChecklistLine]] = {stage: [] for stage in STAGE_NAMES}
    for stage, line in (*_of_preflight(run), *_of_rules(run, window, findings, muted={*run.muted, *muted})):
        found[stage].append(line)
    found["track the work"] += records(run, window)
    return Checklist(run_id=run.summary.run_id, stages=[_outcome(stage, lines) for stage, lines in found.items()])


def reach(outcome: Checklist, *, muted: Collection[str] = ()) -> tuple[int, int]:
    """How many rules concern the run, but for those that are ``muted``, and how many of these had too little to say
    anything."""
    lines = [
        line
        for stage in outcome.stages
        for line in stage.lines
        if line.source == "rule" and (line.name not in muted or line.finding_id is not None)
    ]
    return len(lines), sum(line.status == "unknown" and line.finding_id is None for line in lines)


def stands(finding: Finding) -> bool:
    """Whether it is not over."""
    return finding.state != "resolved"


def _outcome(stage: StageName, lines: Sequence[ChecklistLine]) -> StageOutcome:
    ordered = sorted(lines, key=lambda line: ORDER[line.status])
    return StageOutcome(stage=stage, status=ordered[0].status if ordered else "unknown", lines=ordered)


def _of_preflight(run: RunDetail) -> Lines:
    if run.preflight:
        for check in run.preflight:
            yield (
                check.stage,
                ChecklistLine(
                    name=check.name,
                    source="preflight",
                    status=check.status,
                    summary=check.summary,
                    advice=check.advice,
                ),
            )
        return
    for stage, checks in CHECKS.items():
        names = ", ".join(name.replace("_", " ") for name in checks)
        line = ChecklistLine(
            name="preflight",
            source="preflight",
            status="unknown",
            summary=f"there was none: {names} were not looked at",
            advice=[PREFLIGHT],
        )
        yield stage, line


def _of_rules(run: RunDetail, window: Window, findings: Sequence[Finding], *, muted: Collection[str]) -> Lines:
    blind_from = min((one.first_step for one in findings if one.rule == NOT_FINITE and stands(one)), default=None)
    for rule in dict.fromkeys([*RULES, *(finding.rule for finding in findings)]):
        place = RULES.get(rule, ELSEWHERE)
        own = [finding for finding in findings if finding.rule == rule]
        if rule in muted and not any(map(stands, own)):
            yield place.stage, _silent(rule, "muted: it does not judge this run", MUTED)
        elif own:
            yield place.stage, _spoken(own)
        elif run.summary.ranks >= place.ranks and place.concerns(window):
            yield (
                place.stage,
                _lacking(rule, place, run, window)
                or _silent(rule, *_missing(place, run, window, blind_from=blind_from)),
            )


def _spoken(findings: Sequence[Finding]) -> ChecklistLine:
    """What the gravest finding of a rule that stands has to say, or the newest of those that are over."""
    standing = [finding for finding in findings if stands(finding)]
    if not standing:
        finding = max(findings, key=lambda one: one.last_step)
        by = f"{finding.closed_by} has closed it" if finding.closed_by else "it is over"
        said = f"seen from step {finding.first_step:,} to {finding.last_step:,}; {by}"
        return _line(finding, "passed", said, [])
    finding = min(standing, key=lambda one: (GRAVITY[one.severity], one.first_step))
    advice = finding.advice[:ADVICE_LINES]
    more = f" (and {len(standing) - 1} more)" if len(standing) > 1 else ""
    if finding.severity != "info":
        return _line(finding, "failed", finding.summary + more, advice)
    confirm = f"Worth knowing, and no more than that yet; how to confirm it: trainvitals rule {finding.rule}"
    return _line(finding, "unknown", finding.summary + more, [*advice[:1], confirm])


def _line(finding: Finding, status: CheckStatus, summary: str, advice: list[str]) -> ChecklistLine:
    return ChecklistLine(
        name=finding.rule,
        source="rule",
        status=status,
        summary=summary,
        advice=advice,
        finding_id=finding.finding_id,
    )


def _silent(rule: str, said: str, how: str) -> ChecklistLine:
    """A rule that says nothing: all is well, unless it lacks what is ``said``."""
    status: CheckStatus = "unknown" if said else "passed"
    return ChecklistLine(
        name=rule, source="rule", status=status, summary=said or "nothing of it was seen", advice=[how] if how else []
    )


def _lacking(rule: str, place: Place, run: RunDetail, window: Window) -> ChecklistLine | None:
    """The line of a rule that is not given what it needs."""
    need = next((need for need in place.needs if not need.is_met(window)), None)
    if need is None or run.summary.last_step is None:
        return None
    lacking = window.step >= LOOKED_AT or run.summary.status != "running"
    return msgspec.structs.replace(_silent(rule, need.missing, need.how), lacking=lacking)


def _missing(place: Place, run: RunDetail, window: Window, *, blind_from: int | None) -> tuple[str, str]:
    """What it waits for, and how to come by it; nothing and nothing where it has all."""
    if run.summary.last_step is None:
        return "no step was recorded yet", "Watch the model, or log the loss, and train."
    if blind_from is not None and any(need in BLINDED for need in place.needs):
        before = "too little" if blind_from < place.steps else "nothing of it"
        return f"{before} was seen before numbers were not finite, at step {blind_from:,}", "Mend that first."
    if window.step + 1 < place.steps:
        return f"step {window.step:,} is too early to tell", f"Train on: after {LATEST:,} steps it is known."
    if run.summary.health is None:
        return "nobody has looked yet", "Wait: the server looks every few steps."
    return "", ""
