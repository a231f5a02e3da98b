"""What people do about findings, and what is written down of it."""

from __future__ import annotations

from typing import Final

import msgspec

from trainvitals.wire.messages import Finding, FindingAct, FindingEvent, FindingState, Severity

GRAVITY: Final[dict[Severity, int]] = {"info": 0, "warning": 1, "critical": 2}
MOST_EVENTS: Final = 100  # of a finding that comes and goes, and is much talked about
STATE_AFTER: Final[dict[str, FindingState]] = {
    "acknowledge": "acknowledged",
    "snooze": "snoozed",
    "resolve": "resolved",
    "reopen": "open",
}


def acted_upon(finding: Finding, act: FindingAct, *, now: float, step: int) -> Finding:
    """The finding after a person did something about it, the run being at ``step``."""
    state = STATE_AFTER.get(act.act, finding.state)  # a comment changes nothing
    changed = msgspec.structs.replace(
        finding,
        state=state,
        updated_at=now,
        resolved_at=(finding.resolved_at or now) if state == "resolved" else None,
        closed_by=finding.closed_by if act.act == "comment" else act.by if act.act == "resolve" else None,
        snoozed_until=finding.snoozed_until
        if act.act == "comment"
        else step + act.steps
        if act.act == "snooze"
        else None,
    )
    return noted(changed, now=now, step=step, by=act.by, comment=act.comment)


def noted(finding: Finding, *, now: float, step: int, by: str = "", comment: str = "") -> Finding:
    """The finding with a line of history of what it is now, the run being at ``step``."""
    event = FindingEvent(at=now, state=finding.state, severity=finding.severity, by=by, comment=comment, step=step)
    return msgspec.structs.replace(finding, history=[*finding.history, event][-MOST_EVENTS:])


def is_graver(one: Severity, than: Severity) -> bool:
    """Whether it is worse."""
    return GRAVITY[one] > GRAVITY[than]
