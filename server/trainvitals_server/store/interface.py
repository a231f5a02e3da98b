"""What a store promises, in prose and in types; one contract test holds every backend to it.

Promises:

- ``append`` is all or nothing, and durable when it returns. A frame is known by (run_id, writer, seq): whatever is
  sent again, in whatever order, is kept once. Frames may come late, shuffled, and from several writers.
- Reading sees every frame that was appended, merged or not, at once, in one consistent view: a series' points ascend
  by step, and float32 values come back bit by bit, NaN and infinities included.
- A step that was recorded twice by one series (or histogram) keeps what was received last. A newer attempt hides older
  ones at and after the step that it resumed from.
- ``merge`` changes no answer (but which buckets are at hand), may be run by several at once, be killed at any moment
  and be repeated.
- Methods are synchronous and thread-safe; ``append`` and the other writers queue behind one writer on SQLite.

Errors: RunNotFound; RunNotRunning; TooManySeries; NotesFull; RulesChanged; JournalChanged; SearchRefused; TooManyTags;
ViewNotFound; StoreUnavailable (disk full, database away: nothing was written, try again).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from trainvitals.wire.answers import (
    Curve,
    Heatmap,
    LayerHistograms,
    LookedInto,
    Looks,
    RankCurves,
    RunDetail,
    RunPage,
    RunSummary,
    Snapshot,
)
from trainvitals.wire.capture import Capture, CaptureAnswer
from trainvitals.wire.frame import Frame
from trainvitals.wire.histograms import ValueKind
from trainvitals.wire.journal import JournalChange, Written
from trainvitals.wire.looks import Look
from trainvitals.wire.messages import Finding, ModelInfo, RunEnd, RunStart
from trainvitals.wire.notes import Note
from trainvitals.wire.preflight import PreflightReport
from trainvitals.wire.rules import RuleChange, RuleSettings
from trainvitals.wire.table import Columns, Groups, RunsChange, View


class StoreError(Exception):
    """Something that the store cannot do."""


class RunNotFound(StoreError):
    """No such run."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"no run {run_id!r}: deleted, or its first request never arrived")
        self.run_id = run_id


class SeriesNotFound(StoreError):
    """The run has no such metric, stat or layer."""

    def __init__(self, run_id: str, series: str) -> None:
        super().__init__(f"run {run_id!r} has no {series}: nothing was recorded under that name yet")
        self.run_id = run_id
        self.series = series


class RunNotRunning(StoreError):
    """The run's training is over, or has not been heard of for long."""

    def __init__(self, run_id: str, status: str) -> None:
        known = "has not been heard of for long" if status == "lost" else f"is over ({status})"
        super().__init__(f"the training of run {run_id!r} {known}: nothing can be asked of it")
        self.run_id = run_id


class TooManySeries(StoreError):
    """A frame would give the run more series than a store is asked to hold."""

    def __init__(self, run_id: str, most: str) -> None:
        super().__init__(f"run {run_id!r} has {most}: use fewer names, without steps or batch numbers in them")
        self.run_id = run_id


class FindingNotFound(StoreError):
    """The run has no finding of that id."""

    def __init__(self, run_id: str, finding_id: str) -> None:
        super().__init__(f"run {run_id!r} has no finding {finding_id!r}: GET …/findings lists those that it has")
        self.finding_id = finding_id


class NotesFull(StoreError):
    """A note would make the run's settings or summary larger than a store is asked to hold."""

    def __init__(self, run_id: str, what: str) -> None:
        super().__init__(f"run {run_id!r} has as much {what} as one run may have: note settings and results, not data")
        self.run_id = run_id


class RulesChanged(StoreError):
    """Somebody else set the project's rules meanwhile."""

    def __init__(self, project: str, version: int) -> None:
        super().__init__(
            f"the rules of project {project!r} were set by somebody else meanwhile: version {version} is the newest, "
            "read it and set them again"
        )
        self.project = project


class SearchRefused(StoreError):
    """A search that cannot be understood; ``place``: where in it, first character and the one after the last."""

    def __init__(self, detail: str, *, place: tuple[int, int]) -> None:
        super().__init__(detail)
        self.place = place


class TooManyTags(StoreError):
    """A run would have more tags than a store is asked to hold."""

    def __init__(self, run_id: str, most: int) -> None:
        super().__init__(f"run {run_id!r} would have more than {most} tags: take some away first")
        self.run_id = run_id


class ViewNotFound(StoreError):
    """There is no view of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no view {name!r}: somebody else has deleted it, or it was never saved")
        self.name = name


class JournalChanged(StoreError):
    """Somebody else wrote in the run's journal meanwhile."""

    def __init__(self, run_id: str, version: int) -> None:
        super().__init__(
            f"somebody else wrote in the journal of run {run_id!r} meanwhile: version {version} is the newest, read it "
            "and write again"
        )
        self.run_id = run_id


class StoreUnavailable(StoreError):
    """The database cannot be written or read just now; ``reason`` says why in plain words."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the store is unavailable: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Steps from ``first`` to ``last``, both included; None is open."""

    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedFrame:
    """A frame as it came: decoded for its header, ``payload`` the very bytes (msgpack) that are kept."""

    frame: Frame
    payload: bytes
    received_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """Which rows of the runs table, in which order. ``sort_by``: "created", "name", "project", "status", "health",
    "heartbeat", "step", "findings" (how many are open), "loss", "metric:<name>" or "setting:<name>"; rows without the
    value come last. ``text``: a search as docs/api.md has it; ages are told from ``now``. Of ``run_ids``, where given,
    those that there are. ``created_before``: Unix seconds. ``is_healthy``: of those that were judged the ones whose
    health is 80 or more, or of which no finding at warning or above stands. ``hides_archived``: unless ``text`` asks
    for them. ``has_deleted``: those in the bin, too. ``settings``: which to tell of each."""

    project: str | None = None
    text: str = ""
    status: str | None = None
    run_ids: frozenset[str] | None = None
    created_before: float | None = None
    is_healthy: bool = False
    hides_archived: bool = False
    has_deleted: bool = False
    settings: tuple[str, ...] = ()
    now: float = 0.0
    sort_by: str = "created"
    descending: bool = True
    offset: int = 0
    limit: int = 50


class RunStore(Protocol):
    """Lives of runs: how they begin, what is said of them, how they end, and the table of them."""

    def start_run(self, run_id: str, start: RunStart, *, now: float) -> bool:
        """Create the run; True if it is new. What rank 0 says of it replaces what another rank said before, and stays.
        A run that had ended and that rank 0 starts again is running again, but one that was lost by any rank's."""

    def set_model(self, run_id: str, model: ModelInfo) -> None:
        """Keep what is watched."""

    def note(self, run_id: str, note: Note) -> bool:
        """Keep what the script noted; False if this note of the writer, or a later one, was kept before. Raises
        NotesFull."""

    def set_preflight(self, run_id: str, report: PreflightReport) -> None:
        """Keep what the newest preflight found, in place of what was there."""

    def ask_capture(self, run_id: str, *, now: float) -> Capture:
        """Keep that the training is to be looked at closely: a new request, or the one that waits for the training
        already. Raises RunNotRunning."""

    def answer_capture(self, run_id: str, answer: CaptureAnswer) -> bool:
        """Keep what became of it; False where this is known, or another request is newer."""

    def capture(self, run_id: str) -> Capture | None:
        """The newest request."""

    def keep_look(self, run_id: str, look: Look) -> None:
        """Keep what was seen inside, in place of an earlier look at the same step. Of a run the newest 20 looks are
        kept, and of older ones 40, evenly, the first among them."""

    def looks(self, run_id: str) -> Looks:
        """What there is of looks inside the run."""

    def pictures(self, run_id: str, layer: str, *, step: int | None = None) -> LookedInto:
        """The pictures of one layer at the step, or else at the last before it; None: the newest. Raises
        SeriesNotFound."""

    def end_run(self, run_id: str, end: RunEnd) -> bool:
        """Keep how the run ended, and say whether it is over: by rank 0's end, or by the failure of any rank.
        Another rank's failure no end of rank 0 takes away; of several ranks beyond the first, the first one is told."""

    def heartbeat(self, run_ids: Sequence[str], *, now: float) -> None:
        """These runs are alive. A run marked lost is running again."""

    def mark_lost(self, *, silent_since: float) -> list[str]:
        """Mark running runs without a sign of life since then as lost; their ids."""

    def delete_run(self, run_id: str) -> None:
        """Forget the run and all that belongs to it, in slices that hold no lock for long."""

    def runs(self, query: RunQuery) -> RunPage:
        """A page of the runs table, each row with its last values, open findings and a sparkline of the loss."""

    def run(self, run_id: str) -> RunDetail:
        """All that is known of a run but its series."""

    def unjudged(self) -> list[str]:
        """Runs that ended, or were lost, and are not judged to their end yet."""


class TableStore(Protocol):
    """What people do with the table of runs."""

    def change_runs(self, change: RunsChange, *, now: float) -> list[RunSummary]:
        """Keep what people say of runs, of all or of none, and answer them as they are then. Raises RunNotFound,
        as of a run whose time in the bin is over, and TooManyTags."""

    def deleted_runs(self, *, before: float) -> list[str]:
        """Those that have been in the bin since a time before that, and do not train any more."""

    def columns(self, query: RunQuery) -> Columns:
        """What the runs have that the table may show."""

    def groups(self, query: RunQuery, *, by: str, metric: str) -> Groups:
        """The runs by what they have of "project", "status", "group" or "setting:<name>", with what they reached of a
        metric; "loss" is of each run the one that is known as its loss."""

    def views(self) -> list[View]:
        """By name."""

    def save_view(self, view: View) -> None:
        """Keep it, in place of one of the same name."""

    def delete_view(self, name: str) -> None:
        """Forget it. Raises ViewNotFound."""


class Store(RunStore, TableStore, Protocol):
    """See the module's promises."""

    def append(self, frames: Sequence[ReceivedFrame]) -> list[bool]:
        """Keep the frames in one transaction; for each whether it was new. An unknown run raises RunNotFound, one too
        many a series TooManySeries, and nothing is kept."""

    def merge(self, *, force: bool = False) -> int:
        """Merge what waits, of any run, into chunks and pyramid; how many chunks were written. ``force``: however
        little waits."""

    def metric_curve(self, run_id: str, metric: str, *, span: Span, points: int, rank: int = 0) -> Curve:
        """A metric in at most ``points`` buckets, the first and last point always among them."""

    def rank_curves(self, run_id: str, metric: str, *, points: int) -> RankCurves:
        """A metric as each rank recorded it, in at most ``points`` buckets; no curves where none did. A part of the
        name may be ``*``, where each rank has its own: of each rank it is the first metric that is called so."""

    def stat_curve(self, run_id: str, stat: str, layer: str, *, span: Span, points: int, rank: int = 0) -> Curve:
        """A stat of one layer in at most ``points`` buckets."""

    def heatmap(self, run_id: str, stat: str, *, span: Span, buckets: int, rank: int = 0) -> Heatmap:
        """A stat of all layers in at most ``buckets`` columns."""

    def histograms(
        self, run_id: str, kind: ValueKind, layer: str, *, span: Span, columns: int, rank: int = 0
    ) -> LayerHistograms:
        """The histograms of one layer, at most ``columns`` of them, evenly spread, first and last among them."""

    def snapshot(self, run_id: str, *, rank: int = 0) -> Snapshot | None:
        """The newest snapshot; None before the first."""

    def save_findings(
        self,
        run_id: str,
        findings: Sequence[Finding],
        *,
        health: int | None,
        little_known: bool = False,
        is_last: bool = False,
    ) -> None:
        """Insert or update findings by their id, and the run's health, and whether little is known of it. ``is_last``:
        it is judged to its end."""

    def findings(self, run_id: str) -> list[Finding]:
        """All findings of a run, open ones first, then the gravest, then the newest."""

    def set_rules(self, project: str, change: RuleChange, *, now: float) -> RuleSettings:
        """Keep what a project says of its rules as a new version, and answer it; the newest where it says the same.
        Raises RulesChanged where that is not the version that the change comes ``after``, or somebody else sets them
        at the same moment."""

    def rules(self, project: str, *, most: int = 1) -> list[RuleSettings]:
        """What a project said of its rules, at most so many versions, the newest first."""

    def write_journal(self, run_id: str, change: JournalChange, *, now: float) -> Written:
        """Keep what people write of a run as a new version, and answer it; the newest where it says the same. Of a run
        the newest 50 versions are kept. Raises JournalChanged where the newest is not the one that the change comes
        ``after``, or somebody else writes at the same moment."""

    def journal(self, run_id: str, *, most: int = 1) -> list[Written]:
        """What people wrote of a run, at most so many versions, the newest first."""

    def ping(self) -> None:
        """Raise StoreUnavailable unless the database answers and takes writes."""

    def close(self) -> None:
        """Release connections."""
