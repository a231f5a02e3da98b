"""The thread that judges runs with news."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Final

from trainvitals.wire.frame import Frame
from trainvitals.wire.messages import Finding, FindingAct, ModelInfo
from trainvitals.wire.notes import MetricDefinition
from trainvitals_server.diagnosis.catalogue import rules as all_rules
from trainvitals_server.diagnosis.checklist.knowing import is_little_known
from trainvitals_server.diagnosis.symptom import Rule
from trainvitals_server.evaluator.asked_acts import AskedAct, answer, refuse, take
from trainvitals_server.evaluator.desk import Desk, Turn
from trainvitals_server.evaluator.health import health
from trainvitals_server.evaluator.history import History
from trainvitals_server.evaluator.judges import Judges
from trainvitals_server.evaluator.remembering import remembered
from trainvitals_server.store.interface import RunNotFound, Store, StoreUnavailable

RETRY_SECONDS: Final = 5.0  # while the store is away
LONGEST_YIELD_SECONDS: Final = 0.05
STOP_SECONDS: Final = 10.0
log = logging.getLogger(__name__)

OnFindings = Callable[[str, list[Finding], int | None], None]


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
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._store = store
        self._judges = Judges(store, all_rules() if rules is None else rules)
        self._now = now
        self._on_findings = on_findings
        self._busy = busy
        self._retry_seconds = retry_seconds
        self._desk = Desk()
        self._state = threading.Condition()
        self._stopping = False
        self._busy_with: str | None = None
        self._draining = 0
        self._settling: dict[str, list[Callable[[], None]]] = defaultdict(list)
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

    def started(self, run_id: str, *, planned_steps: int | None, project: str = "", muted: Sequence[str] = ()) -> None:
        """A run that is new to the store: all of it will be fed."""
        history = History(run_id, planned_steps=planned_steps, project=project, muted=muted)
        with self._state:
            self._desk.begin(history)

    def feed(self, run_id: str, frames: Sequence[Frame]) -> None:
        """Frames that were stored. Cheap."""
        with self._state:
            self._desk.put(run_id, frames)
            self._state.notify_all()

    def model(self, run_id: str, model: ModelInfo) -> None:
        """What the run watches."""
        with self._state:
            self._desk.run(run_id).model = model
            self._state.notify_all()

    def defined(self, run_id: str, metrics: Mapping[str, MetricDefinition]) -> None:
        """What the run's script says of its metrics."""
        with self._state:
            self._desk.run(run_id).definitions |= metrics
            self._state.notify_all()

    def ended(self, run_id: str) -> None:
        """The run has ended: judge it a last time."""
        with self._state:
            self._desk.run(run_id).has_ended = True
            self._state.notify_all()

    def act(self, run_id: str, finding_id: str, act: FindingAct) -> Future[Finding]:
        """Do what a person says about a finding. What comes of it is the finding as it is then; FindingNotFound,
        RunNotFound or StoreUnavailable if nothing does."""
        asked = AskedAct(finding_id=finding_id, act=act, done=Future())
        with self._state:
            self._desk.run(run_id).acts.append(asked)
            self._state.notify_all()
        return asked.done

    def rules_set(self, project: str) -> None:
        """The project says something else of its rules: its runs are judged so from their next moment on."""
        self._judges.forget(project)

    def forget(self, run_id: str) -> None:
        """The run was deleted."""
        with self._state:
            self._desk.forget(run_id)

    def news(self, run_id: str, writer: int, *, again: bool = False) -> list[Finding]:
        """Findings that opened, grew graver or milder, or were resolved since this writer's last call. A writer that is
        new here is told of those that are open. ``again``: the last answer may never have reached it."""
        with self._state:
            run = self._desk.known(run_id)
            return [] if run is None else run.tell(writer, again=again)

    def drain(self, timeout: float = 30.0) -> bool:
        """Wait until all that was fed is judged; whether that came to pass."""
        with self._state:
            self._draining += 1
            self._state.notify_all()
            idle = self._state.wait_for(lambda: self._busy_with is None and not self._desk.has_news(), timeout)
            self._draining -= 1
            return idle

    def when_settled(self, run_id: str, then: Callable[[], None]) -> None:
        """Call ``then``, on any thread, once all that is known of the run is judged, or this evaluator stops."""
        with self._state:
            if self._is_settled(run_id):
                then()
            else:
                self._settling[run_id].append(then)

    def _is_settled(self, run_id: str) -> bool:
        run = self._desk.known(run_id)
        return self._stopping or run is None or (self._busy_with != run_id and not run.has_news)

    def _tell_of_settled(self) -> None:
        for run_id in [id_ for id_ in self._settling if self._is_settled(id_)]:
            for then in self._settling.pop(run_id):
                then()

    def _work(self) -> None:
        while (turn := self._next_turn()) is not None:
            deadline = time.monotonic() + LONGEST_YIELD_SECONDS
            while self._busy() and time.monotonic() < deadline and not self._stopping:
                time.sleep(0.001)
            self._take(turn)

    def _next_turn(self) -> Turn | None:
        """Wait for it; None when this evaluator stops."""
        with self._state:
            self._busy_with = None
            self._state.notify_all()
            self._tell_of_settled()
            while not self._stopping:
                turn = self._desk.next_turn(at_once=self._draining > 0)
                if turn is not None:
                    self._busy_with = turn.run.run_id
                    return turn
                self._state.wait(self._desk.patience())
            self._tell_of_settled()
            return None

    def _take(self, turn: Turn) -> None:
        run, is_over = turn.run, turn.is_last
        try:
            self._look(turn)
        except RunNotFound as error:
            is_over = True
            refuse(turn.acts, error)
        except StoreUnavailable as error:
            refuse(turn.acts, error)
            log.warning("run %s is judged in %.0f seconds: %s", run.run_id, self._retry_seconds, error)
            with self._state:
                self._desk.again(turn, seconds=self._retry_seconds)
            return
        except Exception as error:  # the border: one odd run must not end the only evaluator
            refuse(turn.acts, error)
            log.exception("run %s could not be judged", run.run_id)
            run.history = run.life = None
        with self._state:
            self._desk.done(turn, is_over=is_over)

    def _look(self, turn: Turn) -> None:
        """Judge what is new, and save what came of it."""
        run = turn.run
        if turn.is_stale or run.history is None or run.life is None:
            run.history, life = remembered(self._store, run.run_id)
            run.life = run.life or life  # one that is known also knows what it has seen once
        history, life = run.history, run.life
        if turn.model is not None:
            history.describe(turn.model)
        if turn.definitions:
            history.define(turn.definitions)
        before = {id_: (finding.state, finding.severity) for id_, finding in life.findings.items()}
        changed = self._judges.of(history.project).take(
            history, life, turn.frames, now=self._now(), is_moment=turn.is_stale, is_last=turn.is_last
        )
        acted = take(turn.acts, life, now=self._now(), step=history.step)
        changed = list({finding.finding_id: finding for finding in (*changed, *acted)}.values())
        score = health(life.findings.values()) if history.has_data else None
        run.is_little_known = run.is_little_known and _is_little_known(history)  # what is known stays known
        judged = (score, run.is_little_known)
        if not changed and not turn.acts and judged == run.judged and not turn.is_last:
            return
        with self._state:
            is_last = turn.is_last and not run.has_news  # another end may have come meanwhile
        self._store.save_findings(run.run_id, changed, health=score, little_known=run.is_little_known, is_last=is_last)
        answer(turn.acts, life)
        run.judged = judged
        people = {finding.finding_id for finding in acted}  # what they do is no news to the training
        turned = [
            one
            for one in changed
            if one.finding_id not in people and before.get(one.finding_id) != (one.state, one.severity)
        ]
        with self._state:
            run.news.extend(turned)
            run.news_count += len(turned)
        self._on_findings(run.run_id, changed, score)


def _is_little_known(history: History) -> bool:
    try:
        return is_little_known(history.window())
    except Exception:  # the border: whatever clients call settings, findings must be saved
        log.exception("it is not known how much is known of run %s", history.run_id)
        return False
