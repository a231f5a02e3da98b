"""What a script tells a run besides its metrics: settings, a summary, definitions, alerts; and wandb's words for it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trainvitals.values import Values
from trainvitals.wandb_words import ignore, of_run

if TYPE_CHECKING:
    from trainvitals.console import Console
    from trainvitals.notes import Notes


class Noting:
    """The half of a run that takes notes. ``config`` and ``summary`` are read and set as items or attributes."""

    def __init__(self, notes: Notes, console: Console, *, config: Mapping[str, Any]) -> None:  # Any: the user's own
        self.config = Values(config, told=notes.add_config)
        self.summary = Values({}, told=notes.add_summary)
        self._notes = notes
        self._console = console

    @property
    def step(self) -> int:
        """The step that is being worked on, from 0."""
        raise NotImplementedError

    @property
    def active(self) -> bool:
        """Whether what is told goes anywhere."""
        raise NotImplementedError

    def alert(self, title: str, text: str = "", level: str = "warning", **wandb: Any) -> None:
        """Tell people something, here and on the run's page. ``level``: "info", "warning" or "critical"."""
        ignore(wandb, of="alert", own=("title", "text", "level"))
        if not self.active:
            return
        from trainvitals.notes import alert_of

        alert = alert_of(title, text, level, step=self.step, at=time.time(), say=self._console.say)
        self._console.alert(alert)
        self._notes.alert(alert)

    def define_metric(
        self,
        name: str,
        step_metric: str | None = None,
        *,
        summary: str | None = None,
        goal: str | None = None,
        role: str | None = None,
        **wandb: Any,  # Any: what scripts written for wandb say besides
    ) -> None:
        """Say which value of a metric counts in the end (``summary``: "min", "max", "best", "mean", "last") and which
        way is better (``goal``: "minimize", "maximize"). ``role`` ("loss", "validation_loss") has rules and pages take
        it for that, whatever it is called. ``name`` may end in "*". ``step_metric`` is kept with it."""
        ignore(wandb, of="define_metric", own=("name", "step_metric", "summary", "goal", "role"))
        if not self.active:
            return
        from trainvitals.notes import definition_of

        self._notes.define(name, definition_of(summary, goal, step_metric, role, say=self._console.say))

    def __getattr__(self, name: str) -> Any:  # Any: whatever wandb's run has under that name
        if name.startswith("_"):
            raise AttributeError(name)
        return of_run(self, name)
