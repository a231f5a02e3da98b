"""What the SDK says of a run, checked before it reaches a database that could not hold it or a page that could not show
it."""

from __future__ import annotations

import math
from typing import Any, Final

from trainvitals.wire import coding
from trainvitals.wire.capture import CaptureAnswer
from trainvitals.wire.errors import AbsurdShape, Malformed
from trainvitals.wire.frame import MAX_STEP
from trainvitals.wire.journal import JournalChange
from trainvitals.wire.messages import FindingAct, RunEnd, RunStart
from trainvitals.wire.notes import Note
from trainvitals.wire.preflight import MAX_CHECKS, MAX_LINES, MAX_TEXT, PreflightReport
from trainvitals.wire.rules import RuleChange
from trainvitals.wire.table import RunsChange, View
from trainvitals_server.store.interface import RunNotFound

MAX_RUN_ID_LENGTH: Final = 128
MAX_NAME_LENGTH: Final = 512
MAX_TAGS: Final = 100
MOST_RANKS: Final = 2**31  # which a database's integers hold
MAX_ERROR_LENGTH: Final = 20_000
MAX_ALERT_LENGTH: Final = 4_000
MAX_COMMENT_LENGTH: Final = 4_000
MAX_JOURNAL_LENGTH: Final = 100_000
MAX_MUTES: Final = 200
MAX_RUNS_AT_ONCE: Final = 1000
MAX_QUERY_LENGTH: Final = 8_000


def is_run_id(run_id: str) -> bool:
    """Whether a run may be called so."""
    return 0 < len(run_id) <= MAX_RUN_ID_LENGTH and run_id.isprintable()


async def existing(run_id: str) -> None:  # not async, it would wait for a thread like a question
    """For routes about a run that is there already. Raises RunNotFound for what no run is called."""
    if not is_run_id(run_id):
        raise RunNotFound(run_id)


def check_start(run_id: str, start: RunStart) -> None:
    """Raises AbsurdShape, Malformed."""
    if not is_run_id(run_id):
        raise AbsurdShape(f"a run id has 1 to {MAX_RUN_ID_LENGTH} printable characters")
    _check_time("started_at", start.started_at)
    for word, text in (("project", start.project), ("name", start.name), ("group", start.group or "-")):
        if not 0 < len(text) <= MAX_NAME_LENGTH:
            raise AbsurdShape(f"{word} has {len(text)} characters: between 1 and {MAX_NAME_LENGTH}")
    if len(start.tags) > MAX_TAGS or any(len(tag) > MAX_NAME_LENGTH for tag in start.tags):
        raise AbsurdShape(f"at most {MAX_TAGS} tags of at most {MAX_NAME_LENGTH} characters")
    if not (0 <= start.rank < MOST_RANKS and 0 < start.ranks < MOST_RANKS):
        raise AbsurdShape(f"rank {start.rank} of {start.ranks}: ranks count from 0, and are one or more")
    if len(start.mute) > MAX_MUTES or any(not 0 < len(rule) <= MAX_NAME_LENGTH for rule in start.mute):
        raise AbsurdShape(f"at most {MAX_MUTES} rules are muted, of 1 to {MAX_NAME_LENGTH} characters each")
    _check_values(config=start.config, environment=start.environment)


def check_capture_answer(said: CaptureAnswer) -> None:
    """Raises AbsurdShape."""
    if not 0 <= said.step <= MAX_STEP:
        raise AbsurdShape("steps count from 0 to 2⁵³")


def check_act(act: FindingAct) -> None:
    """Raises AbsurdShape, Malformed."""
    _check_words(act.by, act.comment)
    if act.act == "snooze" and not 0 < act.steps <= MAX_STEP:
        raise AbsurdShape("a finding is snoozed for one step or more")
    if act.act == "comment" and not act.comment.strip():
        raise Malformed("a comment says something")


def check_change(project: str, change: RuleChange) -> None:
    """Raises AbsurdShape, Malformed."""
    check_project(project)
    _check_words(change.by, change.comment)
    _check_values(options=change.options)


def check_runs_change(change: RunsChange) -> None:
    """Raises AbsurdShape, RunNotFound."""
    if not 0 < len(change.run_ids) <= MAX_RUNS_AT_ONCE:
        raise AbsurdShape(f"{len(change.run_ids):,} runs: between 1 and {MAX_RUNS_AT_ONCE:,} are changed at once")
    for run_id in change.run_ids:
        if not is_run_id(run_id):
            raise RunNotFound(run_id)
    tags = [*change.tag, *change.untag]
    if len(tags) > MAX_TAGS or any(not 0 < len(tag.strip()) <= MAX_NAME_LENGTH for tag in tags):
        raise AbsurdShape(f"at most {MAX_TAGS} tags of 1 to {MAX_NAME_LENGTH} characters")
    if len(change.memo or "") > MAX_COMMENT_LENGTH:
        raise AbsurdShape(f"a memo has at most {MAX_COMMENT_LENGTH:,} characters")


def check_view(view: View) -> None:
    """Raises AbsurdShape."""
    if not 0 < len(view.name.strip()) <= MAX_NAME_LENGTH or len(view.query) > MAX_QUERY_LENGTH:
        raise AbsurdShape(
            f"a view has a name of 1 to {MAX_NAME_LENGTH} and a query of at most {MAX_QUERY_LENGTH:,} characters"
        )


def check_project(project: str) -> None:
    """Raises AbsurdShape."""
    if not 0 < len(project) <= MAX_NAME_LENGTH:
        raise AbsurdShape(f"project has {len(project)} characters: between 1 and {MAX_NAME_LENGTH}")


def check_journal(change: JournalChange) -> None:
    """Raises AbsurdShape."""
    _check_words(change.by, "")
    if len(change.text) > MAX_JOURNAL_LENGTH:
        raise AbsurdShape(f"a journal of {len(change.text):,} characters: at most {MAX_JOURNAL_LENGTH:,}")


def check_note(note: Note) -> None:
    """Raises AbsurdShape, Malformed."""
    if not (0 <= note.writer < 2**63 and 0 <= note.seq < 2**63):
        raise AbsurdShape("writer and seq are numbers from 0 to 2⁶³")
    if any(not 0 < len(name) <= MAX_NAME_LENGTH for name in note.metrics):
        raise AbsurdShape(f"names of metrics have between 1 and {MAX_NAME_LENGTH} characters")
    words = [word or "" for known in note.metrics.values() for word in (known.summary, known.step_metric)]
    if any(len(word) > MAX_NAME_LENGTH for word in words):
        raise AbsurdShape(f"what is said of a metric has at most {MAX_NAME_LENGTH} characters")
    for alert in note.alerts:
        _check_time("at", alert.at)
        if not 0 < len(alert.title) <= MAX_NAME_LENGTH or len(alert.text) > MAX_ALERT_LENGTH:
            raise AbsurdShape(
                f"an alert has a title of 1 to {MAX_NAME_LENGTH} and at most {MAX_ALERT_LENGTH} characters"
            )
        if alert.step is not None and not 0 <= alert.step <= MAX_STEP:
            raise AbsurdShape(f"step {alert.step}: steps count from 0 to 2⁵³")
    _check_values(config=note.config, summary=note.summary)


def check_end(end: RunEnd) -> None:
    """Raises AbsurdShape, Malformed."""
    _check_time("ended_at", end.ended_at)
    if not 0 <= end.rank < MOST_RANKS:
        raise AbsurdShape(f"rank {end.rank}: ranks count from 0")
    if end.error is not None and len(end.error) > MAX_ERROR_LENGTH:
        raise AbsurdShape(f"error has {len(end.error)} characters: at most {MAX_ERROR_LENGTH}")


def _check_words(by: str, comment: str) -> None:
    if not 0 < len(by) <= MAX_NAME_LENGTH or len(comment) > MAX_COMMENT_LENGTH:
        raise AbsurdShape(f"a name has 1 to {MAX_NAME_LENGTH}, a comment at most {MAX_COMMENT_LENGTH} characters")


def _check_values(**named: dict[str, Any]) -> None:  # Any: the user's own
    for word, values in named.items():
        try:  # as it is kept, and as pages ask for it
            coding.encode(values)
            coding.encode(values, media_type=coding.JSON)
        except (TypeError, ValueError, OverflowError, NotImplementedError, RecursionError) as error:
            raise Malformed(f"{word} holds what neither msgpack nor JSON can say: {error}") from error


def check_preflight(report: PreflightReport) -> None:
    """Raises AbsurdShape, Malformed."""
    if len(report.checks) > MAX_CHECKS:
        raise AbsurdShape(f"a preflight of {len(report.checks)} checks: at most {MAX_CHECKS}")
    for check in report.checks:
        values = list(check.numbers.values())
        texts = [check.summary, *check.advice, *check.numbers, *(value for value in values if isinstance(value, str))]
        if not 0 < len(check.name) <= MAX_NAME_LENGTH or any(len(text) > MAX_TEXT for text in texts):
            raise AbsurdShape(f"a check has a name, and texts of at most {MAX_TEXT} characters")
        if len(check.advice) > MAX_LINES or len(values) > MAX_LINES:
            raise AbsurdShape(f"a check has at most {MAX_LINES} numbers and lines of advice")
        if any(isinstance(value, float) and not math.isfinite(value) for value in values):
            raise Malformed('numbers that are not finite travel as words: "NaN", "Infinity", "-Infinity"')


def _check_time(name: str, seconds: float) -> None:
    if not (math.isfinite(seconds) and 0 <= seconds < 1e11):
        raise Malformed(f"{name} is {seconds}: Unix seconds are expected")
