"""By which judge the runs of a project are judged: with all rules but those that are muted there, with its options."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from trainvitals.wire.rules import RuleSettings
from trainvitals_server.diagnosis.options import configured
from trainvitals_server.diagnosis.symptom import Rule
from trainvitals_server.evaluator.judging import Judge
from trainvitals_server.store.interface import Store

LOOK_EVERY_SECONDS: Final = 5.0  # another server process may have set them
MOST_PROJECTS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    looked_at: float
    version: int
    judge: Judge


class Judges:
    """A judge for each project, for as long as it says the same of its rules. ``of`` belongs to one thread, ``forget``
    to all. ``monotonic`` tells seconds."""

    def __init__(
        self, store: Store, rules: Mapping[str, Rule], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._rules = dict(rules)
        self._monotonic = monotonic
        self._known: dict[str, _Known] = {}
        self._forgotten = 0  # times that something was
        self._lock = threading.Lock()

    def of(self, project: str) -> Judge:
        """As the project has its rules now, or had them seconds ago where another server set them since. Raises
        StoreUnavailable."""
        with self._lock:
            known, forgotten, now = self._known.get(project), self._forgotten, self._monotonic()
        if known is not None and now - known.looked_at < LOOK_EVERY_SECONDS:
            return known.judge
        settings = next(iter(self._store.rules(project)), RuleSettings())
        is_same = known is not None and known.version == settings.version
        judge = known.judge if known is not None and is_same else self._judge(settings)
        with self._lock:
            if len(self._known) >= MOST_PROJECTS:
                self._known.clear()
            if forgotten == self._forgotten:  # else they may have been set since they were read
                self._known[project] = _Known(looked_at=now, version=settings.version, judge=judge)
        return judge

    def forget(self, project: str) -> None:
        """Its rules were set."""
        with self._lock:
            self._forgotten += 1
            self._known.pop(project, None)

    def _judge(self, settings: RuleSettings) -> Judge:
        rules = configured(self._rules, muted=settings.muted, options=settings.options)
        why = f"muted in the project by {settings.by}, version {settings.version} of its rules"
        return Judge(rules, muted=dict.fromkeys(settings.muted, why))
