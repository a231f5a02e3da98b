"""Frames to windows, windows to rules, symptoms to findings."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from trainvitals.wire.frame import Frame
from trainvitals.wire.messages import Finding
from trainvitals_server.diagnosis.arguing.judging import argued
from trainvitals_server.diagnosis.consequences import follows_from
from trainvitals_server.diagnosis.symptom import Rule, Symptom
from trainvitals_server.diagnosis.window import Window
from trainvitals_server.evaluator.history import History, first_step
from trainvitals_server.evaluator.lifecycle import Life

BY_THE_SCRIPT: Final = "muted by the script"
NONE: Final[Mapping[str, str]] = MappingProxyType({})
log = logging.getLogger(__name__)


class Judge:
    """The rules; one that raises is reported once and silences no other. ``muted``: rules that are silent, and in whose
    words."""

    def __init__(self, rules: Mapping[str, Rule], *, muted: Mapping[str, str] = NONE) -> None:
        self._rules = dict(rules)
        self._muted = dict(muted)
        self._failed: set[str] = set()

    def take(
        self, history: History, life: Life, frames: Iterable[Frame], *, now: float, is_moment: bool, is_last: bool
    ) -> list[Finding]:
        """Take frames in, judge at every moment that they bring and once at the end; the findings that opened, changed
        or were resolved. ``is_moment``: the end is one of these moments; ``is_last``: as ``Life.judge`` has it."""
        changed: dict[str, Finding] = {}
        for frame in frames:
            if not frame.rank and frame.attempt > history.attempt and (step := first_step(frame)) is not None:
                history.resume(frame.attempt, step)
                life.resume(step)
            for _ in history.take(frame):
                changed |= self._look(history, life, now=now)
        for _ in history.finish() if is_last else ():
            changed |= self._look(history, life, now=now)
        if history.has_news or is_moment or is_last:
            changed |= self._look(history, life, now=now, is_last=is_last, is_moment=is_moment)
        return list(changed.values())

    def _look(
        self, history: History, life: Life, *, now: float, is_moment: bool = True, is_last: bool = False
    ) -> dict[str, Finding]:
        window = history.window()
        muted = dict.fromkeys(history.muted, BY_THE_SCRIPT) | self._muted
        followed = (self._rules.keys() if is_moment or is_last else life.followed()) - muted.keys()
        symptoms = self._symptoms(window, {name: rule for name, rule in self._rules.items() if name in followed})
        found = life.mute(muted, now=now, step=window.step)
        found += life.judge(symptoms, now=now, step=window.step, is_moment=is_moment, is_last=is_last)
        found += life.join(follows_from, now=now)
        return {finding.finding_id: finding for finding in found}

    def _symptoms(self, window: Window, rules: Mapping[str, Rule]) -> list[Symptom]:
        found: list[Symptom] = []
        if window.step == 0 and not window.metrics and not len(window.steps):
            return found
        for name, rule in rules.items():
            try:
                found.extend(argued(symptom, window) for symptom in rule(window))
            except Exception:
                if name not in self._failed:
                    self._failed.add(name)
                    log.exception("rule %s failed on run %s; it is reported once", name, window.run_id)
        return found
