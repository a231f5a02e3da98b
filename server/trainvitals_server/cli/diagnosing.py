"""Tells the diagnosis of a run, for terminals and for CI."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec

from trainvitals.wire import coding
from trainvitals.wire.answers import FindingList
from trainvitals.wire.checklist import Checklist, StageOutcome
from trainvitals.wire.definitions import CONVENTIONS, NONE, Definitions
from trainvitals.wire.errors import WireError
from trainvitals.wire.frame import Frame
from trainvitals.wire.messages import Finding, Severity
from trainvitals.wire.notes import MetricDefinition, Note, Role
from trainvitals.wire.ordering import GRAVITY, in_order
from trainvitals.wire.preflight import CheckStatus
from trainvitals.wire.recording import Recording, unpack
from trainvitals_server.cli.asking import NoAnswer, Server
from trainvitals_server.diagnosis.catalogue import rules
from trainvitals_server.diagnosis.options import Options, configured, fitting, named
from trainvitals_server.evaluator.health import layer_health
from trainvitals_server.evaluator.replaying import replay

MARKS: Final[dict[CheckStatus, str]] = {"failed": "✗", "unknown": "?", "passed": "✓"}
MOST_NAMES: Final = 8  # of metrics, to be told, …
MOST_NAMED: Final = 3  # … and of names that are usual
T = TypeVar("T")


class CannotDiagnose(Exception):
    """There is nothing to tell; the text says why and what to do."""


def defined(*, loss: str | None, validation_loss: str | None) -> dict[str, MetricDefinition]:
    """What metrics of these names mean."""
    named: tuple[tuple[str | None, Role], ...] = ((loss, "loss"), (validation_loss, "validation_loss"))
    return {name: MetricDefinition(role=role) for name, role in named if name}


def findings_of(
    what: str,
    server: Server,
    *,
    mute: Iterable[str] = (),
    options: Options,
    definitions: Mapping[str, MetricDefinition] = NONE,
) -> list[Finding]:
    """Of a recorded run in a file, judged now, with ``options`` in place of defaults and ``definitions`` of its
    metrics; or of a run on a server, as it was judged there. None of a rule that is to be mute. Raises CannotDiagnose,
    RuleRefused."""
    path = Path(what)
    if path.is_file():
        known = rules()
        muted = [named(rule, known) for rule in mute]
        judging = configured(known, muted=muted, options=fitting(known, options))
        try:
            recording = unpack(path.read_bytes())
            _expect_metrics(recording, definitions)
            found = replay(recording, judging, definitions=definitions)
        except (OSError, WireError) as error:
            raise CannotDiagnose(f"{what} cannot be read: {error}") from error
        if not found:
            _expect_something_to_judge(recording, definitions)
        return arranged(found)
    if path.suffix or "/" in what:
        raise CannotDiagnose(f"there is no file {what}")
    if options:
        raise CannotDiagnose("a run on a server is judged there: set options of its project with `trainvitals rules`")
    if definitions:
        raise CannotDiagnose(
            "a run on a server is judged there: its script says what a metric is, "
            f'run.define_metric("{next(iter(definitions))}", role=…)'
        )
    findings = _asked(what, "findings", FindingList, server).findings
    known_there = {*rules(), *(finding.rule for finding in findings)}  # a server may have rules of its own
    muted = [named(rule, sorted(known_there)) for rule in mute]
    return arranged([finding for finding in findings if finding.rule not in muted])


def _expect_metrics(recording: Recording, definitions: Mapping[str, MetricDefinition]) -> None:
    """Those that are defined. Raises CannotDiagnose."""
    metrics = _metrics(recording)
    for name, given in definitions.items():
        if not any(map(Definitions({name: given}).of, metrics)):
            raise CannotDiagnose(f"this run has no metric {name!r}, only {_listed(metrics)}")


def _expect_something_to_judge(recording: Recording, definitions: Mapping[str, MetricDefinition]) -> None:
    """Else that nothing was found says nothing. Raises CannotDiagnose."""
    noted = [message.metrics for message in recording.messages if isinstance(message, Note)]
    known = Definitions({name: given for one in (*noted, definitions) for name, given in one.items()})
    metrics = _metrics(recording)
    if any(known.role(metric) is not None for metric in metrics) or any(
        isinstance(message, Frame) and message.layer_stats is not None for message in recording.messages
    ):
        return
    raise CannotDiagnose(
        "no rule can say anything of this run: it has no layers, and no loss that goes by a known name "
        f"({', '.join(CONVENTIONS['loss'][:MOST_NAMED])}, …), only {_listed(metrics)}. "
        "Say which is the loss: --loss NAME, or --validation-loss NAME"
    )


def _metrics(recording: Recording) -> list[str]:
    frames = [message for message in recording.messages if isinstance(message, Frame)]
    return list(dict.fromkeys(points.metric for frame in frames for points in frame.metrics))


def _listed(metrics: Sequence[str]) -> str:
    named = ", ".join(metrics[:MOST_NAMES]) + (", …" if len(metrics) > MOST_NAMES else "")
    return named or "no metrics at all"


def checklist_of(what: str, server: Server) -> Checklist | None:
    """Of a run on a server; None of a file, which does not tell all of it. Raises CannotDiagnose."""
    return None if Path(what).is_file() else _asked(what, "checklist", Checklist, server)


def looked_at(what: str) -> str:
    """How much a recorded run in a file has to judge: "300 steps of 5 layers and 4 metrics"; nothing of a run on a
    server, whose checklist tells it."""
    if not Path(what).is_file():
        return ""
    recording = unpack(Path(what).read_bytes())
    stats = [message.layer_stats for message in recording.messages if isinstance(message, Frame)]
    layers = {layer for one in stats if one is not None for layer in one.layers}
    of = [
        f"{len(found)} {word}{'s' * (len(found) != 1)}"
        for found, word in ((layers, "layer"), (_metrics(recording), "metric"))
        if found
    ]
    return f"{recording.steps:,} step{'s' * (recording.steps != 1)} of {' and '.join(of)}"


def arranged(findings: Sequence[Finding]) -> list[Finding]:
    """Those that stand, in the order in which findings are told."""
    return [finding for finding, _ in in_order([one for one in findings if one.state != "resolved"])]


def is_sick(findings: Sequence[Finding], *, at: Severity) -> bool:
    """Whether one stands that is as grave; what somebody has snoozed is out of the health, and of this."""
    return any(GRAVITY[one.severity] >= GRAVITY[at] for one in findings if one.state != "snoozed")


def as_text(findings: Sequence[Finding], *, looked_at: str = "") -> str:
    """For people; ``looked_at``: of what nothing was found, if so it is."""
    if not findings:
        return f"Nothing found{looked_at and f' in {looked_at}'}."
    known = {finding.finding_id for finding in findings}
    return "\n".join(line for finding in findings for line in _lines(finding, is_beneath=finding.cause_id in known))


def stages_as_text(found: Checklist) -> str:
    """The five stages in short, for people; beneath them what it is that several rules could not look for want of."""
    stages = [f"  {MARKS[one.status]} {one.stage}: {_counted(one)}" for one in found.stages]
    return "\n".join(["checklist:", *stages, *_wanting(found)])


def _wanting(found: Checklist) -> list[str]:
    return [
        f"{len(lines)} rules could not look: {lines[0].summary}.\n  → {lines[0].advice[0]}"
        for lines in found.blind()
        if len(lines) > 1
    ]


def _counted(outcome: StageOutcome) -> str:
    counts = Counter(line.status for line in outcome.lines)
    failed, unknown = (
        ", ".join(line.name for line in outcome.lines if line.status == status) for status in ("failed", "unknown")
    )
    words: dict[CheckStatus, str] = {
        "failed": f"failed ({failed})",
        "unknown": f"not known yet ({unknown})",
        "passed": "passed",
    }
    return ", ".join(f"{counts[status]} {word}" for status, word in words.items() if counts[status])


def as_json(findings: Sequence[Finding]) -> str:
    """For programs: the findings as the API has them."""
    told = FindingList(findings=list(findings), layer_health=layer_health(findings))
    return msgspec.json.format(coding.encode(told, media_type=coding.JSON)).decode()


def _lines(finding: Finding, *, is_beneath: bool) -> list[str]:
    where = f" in {finding.where}" if finding.where else ""
    dealt_with = "" if finding.state == "open" else f" ({finding.state})"
    head = f"{finding.severity}{dealt_with} since step {finding.first_step:,}: {finding.rule}{where}"
    if is_beneath:
        return [f"  which brings {head}", f"    {finding.summary}"]
    causes = [
        f"  {one.likelihood}: {one.cause} ({one.because})" for one in finding.arguments if one.likelihood != "unlikely"
    ]
    argued = {one.cause for one in finding.arguments}
    causes += [f"  perhaps: {cause}" for cause in finding.causes if cause not in argued]
    advice = [f"  → {line}" for line in finding.advice[:2]]
    more = f"  more: trainvitals rule {finding.rule}"
    return [head, f"  {finding.summary}", *_numbers(finding), *causes, *advice, more]


def _numbers(finding: Finding) -> list[str]:
    """What was measured, in one line; none where there is nothing but a summary."""
    told = {name: value for name, value in finding.evidence.numbers.items() if value is not None}
    numbers = [f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in told.items()]
    limit = finding.evidence.threshold
    numbers += [f"threshold {finding.evidence.comparison} {limit:.3g}"] if limit is not None and numbers else []
    noticed = [f"noticed at step {finding.opened_step:,}"] if finding.opened_step > finding.first_step else []
    return [f"  ({'; '.join([*numbers, *noticed])})"] if numbers or noticed else []


def _asked(run_id: str, about: str, kind: type[T], server: Server) -> T:
    try:
        return server.ask(f"/api/v1/runs/{quote(run_id, safe='')}/{about}", kind)
    except NoAnswer as error:
        raise CannotDiagnose(f"run {run_id!r} cannot be told: {error}") from error
