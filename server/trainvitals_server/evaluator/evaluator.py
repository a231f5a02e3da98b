"""The thread that judges runs with news."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from trainvitals.wire.frame import Frame
from trainvitals.wire.messages import Finding, ModelInfo
from trainvitals_server.diagnosis.catalogue import rules as all_rules
from trainvitals_server.diagnosis.symptom import Rule, Symptom
from trainvitals_server.diagnosis.window import Window
from trainvitals_server.evaluator.health import health
from trainvitals_server.evaluator.history import History
from trainvitals_server.evaluator.lifecycle import Life
from trainvitals_server.evaluator.remembering import remembered
from trainvitals_server.store.interface import RunNotFound, Store, StoreError

EVERY_SECONDS: Final = 0.5  # between two looks at a run …
MANY_FRAMES: Final = 8  # … unless so many frames wait
MOST_WAITING: Final = 256  # frames of a run, which bounds their memory
LONGEST_YIELD_SECONDS: Final = 0.05
NEWS_KEPT: Final = 256
STOP_SECONDS: Final = 10.0
log = logging.getLogger(__name__)

OnFindings = Callable[[str, list[Finding], int | None], None]


@dataclass(slots=True)
class _Run:
    waiting: deque[Frame] = field(default_factory=deque)
    model: ModelInfo | None = None
    has_ended: bool = False
    history: History | None = None
    life: Life | None = None
    judged_at: float = float("-inf")
    judged_health: int | None = None
    news: deque[Finding] = field(default_factory=lambda: deque(maxlen=NEWS_KEPT))
    news_count: int = 0
    told: dict[int, int] = field(default_factory=dict)

    @property
    def has_news(self) -> bool:
        return bool(self.waiting) or self.model is not None or self.has_ended

    @property
    def is_urgent(self) -> bool:
        return self.has_ended or len(self.waiting) >= MANY_FRAMES


class Evaluator:
    """Judges runs on a thread of its own; every method is thread-safe.

    ``on_findings`` is given, on that thread, the findings of a run that opened, changed or were resolved, and its
    health. ``busy`` tells that frames wait to be stored, which has the right of way.
    """

    def __init__(
        self,
        store: Store,
        *,
        rules: Mapping[str, Rule] | None = None,
        now: Callable[[], float],
        on_findings: OnFindings,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._rules = dict(all_rules() if rules is None else rules)
        self._now = now
        self._on_findings = on_findings
        self._busy = busy
        self._runs: dict[str, _Run] = {}
        self._state = threading.Condition()
        self._stopping = False
        self._busy_with: str | None = None
        self._draining = 0
        self._failed_rules: set[str] = set()
        self._thread = threading.Thread(target=self._work, name="trainvitals-evaluator", daemon=True)

    def start(self) -> None:
        """Begin to judge."""
        self._thread.start()

    def stop(self) -> None:
        """End after the run in hand."""
        with self._state:
            self._stopping = True
            self._state.notify_all()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def feed(self, run_id: str, frames: Sequence[Frame]) -> None:
        """Frames that were stored. Cheap; ranks beyond the first are not judged yet."""
        own = [frame for frame in frames if frame.rank == 0]
        with self._state:
            run = self._runs.setdefault(run_id, _Run())
            run.waiting.extend(own)
            while len(run.waiting) > MOST_WAITING:  # it comes faster than it can be judged: from the store, later
                run.waiting.popleft()
                run.history = None
            self._state.notify_all()

    def model(self, run_id: str, model: ModelInfo) -> None:
        """What the run watches."""
        with self._state:
            self._runs.setdefault(run_id, _Run()).model = model
            self._state.notify_all()

    def ended(self, run_id: str) -> None:
        """The run has ended: judge it a last time."""
        with self._state:
            self._runs.setdefault(run_id, _Run()).has_ended = True
            self._state.notify_all()

    def news(self, run_id: str, writer: int) -> list[Finding]:
        """Findings opened or resolved since this writer's last call."""
        with self._state:
            run = self._runs.get(run_id)
            if run is None:
                return []
            fresh = run.news_count - run.told.get(writer, 0)
            run.told[writer] = run.news_count
            return list(run.news)[-fresh:] if fresh else []

    def drain(self, timeout: float = 30.0) -> bool:
        """Wait until all that was fed is judged; whether that came to pass."""
        with self._state:
            self._draining += 1
            self._state.notify_all()
            idle = self._state.wait_for(
                lambda: self._busy_with is None and not any(run.has_news for run in self._runs.values()), timeout
            )
            self._draining -= 1
            return idle

    def settle(self, run_id: str, *, seconds: float) -> bool:
        """Wait until all that is known of one run is judged; whether that came to pass."""
        with self._state:
            run = self._runs.get(run_id)
            return run is None or self._state.wait_for(
                lambda: self._stopping or (self._busy_with != run_id and not run.has_news), seconds
            )

    def _work(self) -> None:
        while True:
            with self._state:
                self._busy_with = None
                self._state.notify_all()
                while not self._stopping and (due := self._due()) is None:
                    self._state.wait(self._patience())
                if self._stopping:
                    return
                assert due is not None
                self._busy_with = due
                run = self._runs[due]
                frames, model, has_ended = list(run.waiting), run.model, run.has_ended
                run.waiting.clear()
                run.model, run.has_ended = None, False
            self._attend(due, run, frames, model, has_ended=has_ended)

    def _due(self) -> str | None:
        """The run that has waited longest of those whose turn it is."""
        now = time.monotonic()
        due = [
            (run.judged_at, run_id)
            for run_id, run in self._runs.items()
            if run.has_news and (run.is_urgent or self._draining or now - run.judged_at >= EVERY_SECONDS)
        ]
        return min(due)[1] if due else None

    def _patience(self) -> float | None:
        return EVERY_SECONDS if any(run.has_news for run in self._runs.values()) else None

    def _attend(self, run_id: str, run: _Run, frames: list[Frame], model: ModelInfo | None, *, has_ended: bool) -> None:
        try:
            if run.history is None or run.life is None:
                run.history, run.life, frames = remembered(self._store, run_id)  # the given frames among them
            if model is not None:
                run.history.describe(model)
            self._judge(run_id, run, run.history, run.life, frames, has_ended=has_ended)
        except RunNotFound:
            has_ended = True
        except StoreError as error:
            log.warning("run %s could not be judged just now: %s", run_id, error)
            run.history = None  # from the store again, when there is news
        except Exception:  # the border: one odd run must not end the only evaluator
            log.exception("run %s could not be judged", run_id)
            run.history = None
        run.judged_at = time.monotonic()
        with self._state:
            if has_ended and not run.has_news:  # an ended run takes no memory
                self._runs.pop(run_id, None)

    def _judge(
        self, run_id: str, run: _Run, history: History, life: Life, frames: list[Frame], *, has_ended: bool
    ) -> None:
        """Take frames in, judge at every moment they bring and once at the end, and save what came of it."""
        before = {id_: finding.state for id_, finding in life.findings.items()}
        changed: dict[str, Finding] = {}
        for frame in frames:
            for _ in history.take(frame):
                self._give_way()
                found = life.judge(self._symptoms(history.window()), now=self._now())
                changed |= {finding.finding_id: finding for finding in found}
        found = life.judge(self._symptoms(history.window()), now=self._now(), is_last=has_ended, is_moment=False)
        changed |= {finding.finding_id: finding for finding in found}
        score = health(life.findings.values()) if history.has_data else None
        if not changed and score == run.judged_health:
            return
        self._store.save_findings(run_id, list(changed.values()), health=score)
        run.judged_health = score
        turned = [finding for finding in changed.values() if before.get(finding.finding_id) != finding.state]
        with self._state:
            run.news.extend(turned)
            run.news_count += len(turned)
        self._on_findings(run_id, list(changed.values()), score)

    def _give_way(self) -> None:
        deadline = time.monotonic() + LONGEST_YIELD_SECONDS
        while self._busy() and time.monotonic() < deadline and not self._stopping:
            time.sleep(0.001)

    def _symptoms(self, window: Window) -> list[Symptom]:
        found: list[Symptom] = []
        if window.step == 0 and not window.metrics and not len(window.steps):
            return found
        for name, rule in self._rules.items():
            try:
                found.extend(rule(window))
            except Exception:
                if name not in self._failed_rules:
                    self._failed_rules.add(name)
                    log.exception("rule %s failed on run %s; it is reported once", name, window.run_id)
        return found
