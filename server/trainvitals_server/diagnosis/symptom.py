"""What a rule returns: one symptom per cause; the evaluator turns symptoms into findings with a life."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from trainvitals.wire.messages import Argument, Evidence, Severity
from trainvitals_server.diagnosis.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """What is wrong now; its ``causes``, the likeliest first, and the ``arguments`` for and against
    them, which a rule leaves to the judge. ``key`` tells symptoms of one rule apart that are
    different causes. What ``is_event`` happened once: a later one takes its place with its steps, and does not go on
    where the other began."""

    rule: str
    severity: Severity
    summary: str
    first_step: int
    last_step: int
    layers: tuple[str, ...] = ()
    evidence: Evidence = field(default_factory=Evidence)
    causes: tuple[str, ...] = ()
    arguments: tuple[Argument, ...] = ()
    advice: tuple[str, ...] = ()
    key: str = ""
    is_event: bool = False


Rule = Callable[[Window], Iterable[Symptom]]
