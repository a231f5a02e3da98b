"""What is said of one cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from trainvitals.wire.messages import Likelihood
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


@dataclass(frozen=True, slots=True)
class Said:
    """How likely a cause is, and why, in words with the run's numbers; and what that asks for, in words that stand in
    place of advice to divide the learning rate by some number."""

    likelihood: Likelihood
    because: str
    remedy: str = ""


Consideration = Callable[[Window, Symptom], Said | None]  # None where the run tells nothing of it
RANKS: Final[Mapping[Likelihood, int]] = MappingProxyType({"likely": 0, "possible": 1, "unlikely": 2})


@dataclass(frozen=True, slots=True)
class Group:
    """A parameter group: the optimizer's name, and its settings."""

    kind: str
    settings: Mapping[str, Any]  # Any: whatever the optimizer calls a setting

    def number(self, name: str) -> float | None:
        """A setting, if it is a number."""
        found = self.settings.get(name)
        return float(found) if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def groups(window: Window, symptom: Symptom) -> list[Group]:
    """The groups that train the symptom's layers; all where none is known to, or it names none."""
    every = [(optimizer.kind, group) for optimizer in window.optimizers for group in optimizer.groups]
    concerned = [one for one in every if not symptom.layers or set(symptom.layers) & set(one[1].layers)]
    return [Group(kind, group.settings) for kind, group in concerned or every]


def times(ratio: float) -> str:
    """How many times, for people: beyond a thousand the number tells nothing."""
    if ratio > 1000:
        return "more than a thousand times"
    return f"{ratio:.0f} times" if ratio >= 10 else f"{ratio:.2g} times"
