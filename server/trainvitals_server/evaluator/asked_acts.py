"""What people ask for about findings, until it is done: on the evaluator's thread, to which findings belong."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from trainvitals.wire.messages import Finding, FindingAct
from trainvitals_server.evaluator.lifecycle import Life
from trainvitals_server.store.interface import FindingNotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAct:
    """What a person wants done about a finding; ``done`` gets the finding as it is then, or what went wrong."""

    finding_id: str
    act: FindingAct
    done: Future[Finding]


def take(acts: Sequence[AskedAct], life: Life, *, now: float, step: int) -> list[Finding]:
    """Do it; the findings that changed, each as it is in the end."""
    done = [life.act(asked.finding_id, asked.act, now=now, step=step) for asked in acts]
    return list({finding.finding_id: finding for finding in done if finding is not None}.values())


def answer(acts: Sequence[AskedAct], life: Life) -> None:
    """Tell who asked what came of it, once that is saved."""
    for asked in acts:
        finding = life.findings.get(asked.finding_id)
        if finding is None:
            _end(asked, FindingNotFound(life.run_id, asked.finding_id))
        else:
            _end(asked, finding)


def refuse(acts: Sequence[AskedAct], error: Exception) -> None:
    """Tell who asked why nothing came of it."""
    for asked in acts:
        _end(asked, error)


def _end(asked: AskedAct, what: Finding | Exception) -> None:
    if not asked.done.set_running_or_notify_cancel():
        return  # who asked has gone
    if isinstance(what, Exception):
        asked.done.set_exception(what)
    else:
        asked.done.set_result(what)
