"""Verdicts, counted."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from clinic.judging import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """``named`` of ``sick`` runs, ``warned`` of them at warning or above, and in ``leading`` of them as what leads;
    ``false_alarms`` findings in ``healthy`` runs, ``strays`` in sick ones, of ``spoken`` alarms in all; ``delay``: the
    median share of the steps after the onset that passed until the finding, ``delay_steps`` the median in steps."""

    sick: int
    named: int
    warned: int
    leading: int
    healthy: int
    false_alarms: int
    strays: int
    spoken: int
    delay: float | None
    delay_steps: float | None

    @property
    def recall(self) -> float:
        """Share of sick runs whose ill was named; 1 where there is none."""
        return self.named / self.sick if self.sick else 1.0

    @property
    def precision(self) -> float:
        """Share of alarms that name an ill or follow from it; 1 where there is none."""
        return 1 - (self.false_alarms + self.strays) / self.spoken if self.spoken else 1.0

    @property
    def alarms_per_healthy_run(self) -> float:
        """False alarms in a healthy run."""
        return self.false_alarms / self.healthy if self.healthy else 0.0


def score(verdicts: Iterable[Verdict]) -> Score:
    """Over all rules."""
    every = list(verdicts)
    sick = [verdict for verdict in every if verdict.case.diagnosis is not None]
    healthy = [verdict for verdict in every if verdict.case.diagnosis is None]
    return Score(
        **_of_sick(sick),
        healthy=len(healthy),
        false_alarms=sum(len(verdict.false_alarms) for verdict in healthy),
        strays=sum(len(verdict.false_alarms) for verdict in sick),
        spoken=sum(len(verdict.alarms) for verdict in every),
    )


def score_of(rule: str, verdicts: Sequence[Verdict]) -> Score:
    """Of one rule: the sick runs that it should name, and its alarms in all."""
    sick = [verdict for verdict in verdicts if verdict.case.diagnosis == rule]
    healthy = [verdict for verdict in verdicts if verdict.case.diagnosis is None]
    alarms = [(verdict, found) for verdict in verdicts for found in verdict.alarms if found.rule == rule]
    false = [verdict for verdict, found in alarms if found in verdict.false_alarms]
    return Score(
        **_of_sick(sick),
        healthy=len(healthy),
        false_alarms=sum(verdict.case.diagnosis is None for verdict in false),
        strays=sum(verdict.case.diagnosis is not None for verdict in false),
        spoken=len(alarms),
    )


def _of_sick(sick: Sequence[Verdict]) -> dict[str, Any]:  # Any: the fields of a score
    shares = [verdict.delay for verdict in sick if verdict.delay is not None]
    steps = [verdict.delay_steps for verdict in sick if verdict.delay_steps is not None]
    return {
        "sick": len(sick),
        "named": sum(verdict.is_named for verdict in sick),
        "warned": sum(verdict.is_warned_of for verdict in sick),
        "leading": sum(verdict.is_leading for verdict in sick),
        "delay": statistics.median(shares) if shares else None,
        "delay_steps": statistics.median(steps) if steps else None,
    }
