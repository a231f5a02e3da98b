"""What waits to be judged, and whose turn it is. Not thread-safe: the evaluator holds its lock around it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from trainvitals.wire.frame import Frame
from trainvitals.wire.histograms import data_of
from trainvitals.wire.messages import Finding, ModelInfo
from trainvitals.wire.notes import MetricDefinition
from trainvitals_server.evaluator.asked_acts import AskedAct
from trainvitals_server.evaluator.history import History
from trainvitals_server.evaluator.lifecycle import Life

EVERY_SECONDS: Final = 0.5  # between two looks at a run …
MANY_FRAMES: Final = 8  # … unless so many of rank 0's frames wait
FRAMES_A_TURN: Final = 8  # of rank 0; then it is the turn of the run that has waited longest
MOST_WAITING: Final = 256  # of rank 0's frames of a run, …
OTHERS_TO_ONE: Final = 64  # … so many times as many of other ranks, which are small, …
FRAME_BYTES: Final = 2048  # of a frame, whatever is in it
MOST_WAITING_BYTES: Final = 64 * 1024 * 1024  # … and data of all of them, which bounds memory
IDLE_SECONDS: Final = 600.0  # a run without news for so long is recalled from the store when there are some
NEWS_KEPT: Final = 256
NOTHING: Final = -1  # was told yet
STANDING: Final = ("open", "acknowledged")


@dataclass(slots=True, kw_only=True)
class WatchedRun:
    """What is known of a run, and what is new of it."""

    run_id: str
    waiting: deque[Frame] = field(default_factory=deque)
    leading: int = 0  # of rank 0 among them
    waiting_bytes: int = 0
    model: ModelInfo | None = None
    definitions: dict[str, MetricDefinition] = field(default_factory=dict)
    acts: deque[AskedAct] = field(default_factory=deque)
    has_ended: bool = False
    is_stale: bool = False  # there is more in the store than was fed
    history: History | None = None
    life: Life | None = None
    known_since: float = field(default_factory=time.monotonic)
    judged_at: float = float("-inf")
    retry_at: float = float("-inf")
    is_little_known: bool = True
    judged: tuple[int | None, bool] = (None, False)  # health, and whether little is known, as they are stored
    news: deque[Finding] = field(default_factory=lambda: deque(maxlen=NEWS_KEPT))
    news_count: int = 0
    told: dict[int, tuple[int, int]] = field(default_factory=dict)  # writer → news told before the last time, and by it

    def tell(self, writer: int, *, again: bool) -> list[Finding]:
        """What the writer has not been told; after the first look at a run all that is open."""
        before, told = self.told.get(writer, (NOTHING, NOTHING))
        since = before if again else told
        if since == NOTHING:
            if self.life is None:
                return []
            self.told[writer] = (NOTHING, self.news_count)
            return [finding for finding in list(self.life.findings.values()) if finding.state in STANDING]
        self.told[writer] = (since, self.news_count)
        fresh = self.news_count - since
        return list(self.news)[-fresh:] if fresh else []

    @property
    def has_news(self) -> bool:
        """Whether there is anything to judge."""
        return (
            bool(self.waiting or self.acts or self.definitions)
            or self.model is not None
            or self.has_ended
            or self.is_stale
        )

    @property
    def is_urgent(self) -> bool:
        """Whether it should not have to wait for its time."""
        return bool(self.acts) or self.has_ended or self.is_stale or self.is_beyond(MANY_FRAMES - 1)

    def is_beyond(self, frames: int) -> bool:
        """Whether more wait than so many of rank 0's, or what other ranks may send beside these."""
        return self.leading > frames or len(self.waiting) > frames * OTHERS_TO_ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What is looked at in one go. ``is_stale``: after recalling the run; ``is_last``: nothing more will come."""

    run: WatchedRun
    frames: list[Frame]
    model: ModelInfo | None
    definitions: dict[str, MetricDefinition]
    acts: list[AskedAct]
    is_stale: bool
    is_last: bool


class Desk:
    """The runs that are watched, and their frames, bounded whatever comes: what is passed over the store has too."""

    def __init__(self) -> None:
        self._runs: dict[str, WatchedRun] = {}

    def begin(self, history: History) -> None:
        """A run all of which will be fed, unless some of it has been already."""
        run_id = history.run_id
        if run_id not in self._runs:
            self._runs[run_id] = WatchedRun(run_id=run_id, history=history, life=Life(run_id))

    def run(self, run_id: str) -> WatchedRun:
        """The run; one that is not known is to be recalled from the store."""
        return self._runs.setdefault(run_id, WatchedRun(run_id=run_id, is_stale=True))

    def known(self, run_id: str) -> WatchedRun | None:
        """The run, if it is known."""
        return self._runs.get(run_id)

    def put(self, run_id: str, frames: Sequence[Frame]) -> None:
        """Frames that wait from now on."""
        run = self.run(run_id)
        run.waiting.extend(frames)
        run.leading += sum(frame.rank == 0 for frame in frames)
        run.waiting_bytes += sum(map(_size, frames))
        if run.is_beyond(MOST_WAITING):
            self._pass_over(run)  # they come faster than they can be judged
        while sum(one.waiting_bytes for one in self._runs.values()) > MOST_WAITING_BYTES:
            self._pass_over(max(self._runs.values(), key=lambda one: one.waiting_bytes))

    def forget(self, run_id: str) -> None:
        """The run was deleted, or is over."""
        run = self._runs.pop(run_id, None)
        if run is not None:
            self._pass_over(run)

    def has_news(self) -> bool:
        """Whether anything waits."""
        return any(run.has_news for run in self._runs.values())

    def next_turn(self, *, at_once: bool) -> Turn | None:
        """Of the run that has waited longest of those whose time has come; None if there is none."""
        now = time.monotonic()
        due = [
            run
            for run in self._runs.values()
            if run.has_news
            and now >= run.retry_at
            and (at_once or run.is_urgent or now - run.judged_at >= EVERY_SECONDS)
        ]
        if not due:
            self._forget_idle(before=now - IDLE_SECONDS)
            return None
        return self._turn(min(due, key=lambda run: run.judged_at))

    def patience(self) -> float:
        """Seconds until it may be somebody's turn without any news."""
        return EVERY_SECONDS if self.has_news() else IDLE_SECONDS

    def done(self, turn: Turn, *, is_over: bool) -> None:
        """The turn was taken; a run that is over takes no memory."""
        run = turn.run
        run.judged_at = time.monotonic()
        if is_over and not run.has_news and self._runs.get(run.run_id) is run:
            del self._runs[run.run_id]

    def again(self, turn: Turn, *, seconds: float) -> None:
        """The turn could not be taken, and is to be taken later."""
        run = turn.run
        run.is_stale, run.has_ended = True, run.has_ended or turn.is_last
        run.life = None  # what it says was not saved
        run.judged_at = time.monotonic()
        run.retry_at = run.judged_at + seconds

    def _turn(self, run: WatchedRun) -> Turn:
        is_stale = run.is_stale
        if is_stale:
            self._pass_over(run)  # it comes with the rest from the store
            run.is_stale = False
        frames: list[Frame] = []
        before = run.leading
        while run.waiting and before - run.leading < FRAMES_A_TURN and len(frames) < FRAMES_A_TURN * OTHERS_TO_ONE:
            frames.append(run.waiting.popleft())
            run.leading -= frames[-1].rank == 0
        run.waiting_bytes -= sum(map(_size, frames))
        is_last = run.has_ended and not run.waiting
        turn = Turn(
            run=run, frames=frames, model=run.model, definitions=run.definitions, acts=list(run.acts),
            is_stale=is_stale, is_last=is_last,
        )  # fmt: skip
        run.acts.clear()
        run.model, run.definitions, run.has_ended = None, {}, run.has_ended and not is_last
        return turn

    def _pass_over(self, run: WatchedRun) -> None:
        run.waiting.clear()
        run.leading = run.waiting_bytes = 0
        run.is_stale = True

    def _forget_idle(self, *, before: float) -> None:
        for run in list(self._runs.values()):
            if not run.has_news and max(run.judged_at, run.known_since) < before:
                del self._runs[run.run_id]


def _size(frame: Frame) -> int:
    """Bytes of data, and of the frame itself."""
    sections = frame.layer_stats.sections if frame.layer_stats else ()
    packed = sum(len(part.data) if part.values is None else len(part.values.data) for part in sections)
    packed += sum(len(data_of(part)) for part in frame.histograms.parts) if frame.histograms else 0
    return FRAME_BYTES + packed + sum(len(points.values.data) for points in frame.metrics)
