"""Findings of runs, kept whole, with what is counted and sorted by beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trainvitals.wire import coding
from trainvitals.wire.messages import Finding
from trainvitals_server.store import tables
from trainvitals_server.store.engine import insert_into

GRAVEST_FIRST: Final = {"critical": 0, "warning": 1, "info": 2}
OPEN_FIRST: Final = {"open": 0, "acknowledged": 1, "snoozed": 2, "resolved": 3}


def save_findings(connection: Connection, run_number: int, findings: Sequence[Finding]) -> None:
    """Insert or update findings by their id."""
    if not findings:
        return
    statement = insert_into(connection, tables.finding)
    changed = {name: statement.excluded[name] for name in ("severity", "state", "rule", "payload")}
    rows = [
        {
            "run_id": run_number,
            "finding_id": finding.finding_id,
            "severity": finding.severity,
            "state": finding.state,
            "rule": finding.rule,
            "payload": coding.encode(finding),
        }
        for finding in findings
    ]
    connection.execute(statement.on_conflict_do_update(index_elements=["run_id", "finding_id"], set_=changed), rows)


def load_findings(connection: Connection, run_number: int) -> list[Finding]:
    """All findings of a run, open ones first, then the gravest, then the newest."""
    table = tables.finding
    rows = connection.execute(sa.select(table.c.payload).where(table.c.run_id == run_number))
    return sorted((coding.decode(row.payload, Finding) for row in rows), key=_order)


def _order(finding: Finding) -> tuple[int, int, float, str]:
    state, severity = OPEN_FIRST[finding.state], GRAVEST_FIRST[finding.severity]
    return state, severity, -finding.opened_at, finding.finding_id
