"""What a script notes of its run between two sendings, merged, so that a loop that notes at every step costs little."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from trainvitals.plain import plain, text, title

if TYPE_CHECKING:
    from trainvitals.wire.messages import Severity
    from trainvitals.wire.notes import Alert, Goal, MetricDefinition, Role

MOST_ALERTS: Final = 100  # between two sendings: an alert at every step is no alert
MAX_BYTES: Final = 1024 * 1024  # of one note, the server's limit for all settings
LEVELS: Final[dict[str, Severity]] = {
    "info": "info", "warning": "warning", "critical": "critical",
    "warn": "warning", "error": "critical",  # wandb's words
}  # fmt: skip
GOALS: Final[dict[str, Goal]] = {
    "minimize": "minimize", "maximize": "maximize", "min": "minimize", "max": "maximize"
}  # fmt: skip
ROLES: Final[dict[str, Role]] = {"loss": "loss", "validation_loss": "validation_loss"}
MAX_WORD: Final = 64
MAX_ALERT_TEXT: Final = 4000  # the server's limit

Say = Callable[[str], None]


class Notes:
    """Collects on the training's thread, is emptied on the recorder's. Never raises for what people note."""

    def __init__(self, *, writer: int, say: Say) -> None:
        self.writer = writer
        self._say = say
        self._seq = 0
        self._guard = threading.Lock()
        self._config: dict[str, Any] = {}  # Any: the user's own
        self._summary: dict[str, Any] = {}
        self._metrics: dict[str, MetricDefinition] = {}
        self._alerts: list[Alert] = []

    def add_config(self, changes: Mapping[str, Any]) -> None:  # Any: the user's own
        """Settings that are new or different."""
        with self._guard:
            self._config.update(_held(changes))

    def add_summary(self, changes: Mapping[str, Any]) -> None:  # Any: the user's own
        """Results that are new or different; tensors are read later, by another thread."""
        with self._guard:
            self._summary.update(_held(changes))

    def define(self, metric: str, definition: MetricDefinition) -> None:
        """What a metric means."""
        with self._guard:
            self._metrics[title(metric)] = definition

    def alert(self, alert: Alert) -> None:
        """Something to tell people."""
        with self._guard:
            if len(self._alerts) < MOST_ALERTS:
                self._alerts.append(alert)
                return
        self._say(f"more than {MOST_ALERTS} alerts within a moment: the rest of them is only told here")

    def abandon(self) -> None:
        """In a forked child: the parent may have held the lock just then, and never lets go of it here."""
        self._guard = threading.Lock()

    def take(self) -> bytes | None:
        """The next note, encoded; None if nothing was noted since the last."""
        from trainvitals.wire import coding
        from trainvitals.wire.notes import Note

        with self._guard:
            given = (self._config, self._summary, self._metrics, self._alerts)
            if not any(given):
                return None
            self._config, self._summary, self._metrics, self._alerts = {}, {}, {}, []
        config, summary, metrics, alerts = given
        note = Note(
            writer=self.writer, seq=self._seq, config=plain(config), summary=plain(summary), metrics=metrics,
            alerts=alerts,
        )  # fmt: skip
        self._seq += 1
        encoded = coding.encode(note)
        if len(encoded) <= MAX_BYTES:
            return encoded
        self._say(f"a note of {len(encoded):,} bytes, more than {MAX_BYTES:,}, is left out: note settings, not data")
        return None


def alert_of(name: object, words: object, level: object, *, step: int, at: float, say: Say) -> Alert:
    """An alert of whatever people give; a level that there is not counts as a warning. ``at``: Unix seconds."""
    from trainvitals.wire.notes import Alert

    given = str(plain(getattr(level, "value", level)))
    known = LEVELS.get(given.lower())
    if known is None:
        say(f"alert level {given!r} is none: info, warning or critical; taken for a warning")
    return Alert(
        title=title(plain(name)) or "alert",
        text=text(plain(words), longest=MAX_ALERT_TEXT),
        level=known or "warning",
        step=step,
        at=at,
    )


def definition_of(
    summary: object, goal: object, step_metric: object, role: object = None, *, say: Say
) -> MetricDefinition:
    """A definition of whatever people give; a goal, or a role, that there is not is left out."""
    from trainvitals.wire.notes import MetricDefinition

    known = None if goal is None else GOALS.get(str(plain(goal)).lower())
    if goal is not None and known is None:
        say(f"goal {plain(goal)!r} is left out: it is minimize or maximize")
    played = None if role is None else ROLES.get(str(plain(role)).lower())
    if role is not None and played is None:
        say(f"role {plain(role)!r} is left out: it is {' or '.join(ROLES)}")
    return MetricDefinition(
        summary=None if summary is None else text(plain(summary), longest=MAX_WORD),
        goal=known,
        step_metric=None if step_metric is None else title(plain(step_metric)),
        role=played,
    )


def _held(changes: Mapping[str, Any]) -> dict[str, Any]:
    """As they are now, whatever becomes of them; a tensor stays on its device until it is read."""
    return {text(key): _frozen(value) for key, value in changes.items()}


def _frozen(value: Any) -> Any:  # Any: the user's own
    if hasattr(value, "detach") and getattr(value, "ndim", None) == 0:
        return value.detach().clone()
    return plain(value)
