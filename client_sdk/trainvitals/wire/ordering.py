"""The order in which findings are told, wherever they are: pages, terminals and the API have this one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trainvitals.wire.messages import Finding, Severity

GRAVITY: Final[dict[Severity, int]] = {"critical": 2, "warning": 1, "info": 0}


def in_order(findings: Sequence[Finding]) -> list[tuple[Finding, int]]:
    """With how deep each stands beneath its cause. Causes that lead stand by the gravest that they bring, what is
    resolved last, and what follows from a cause stands beneath it. Of causes that bring what is as grave the graver
    leads, then the earlier. What follows from a finding that is not among them stands for itself. Each comes once."""
    known = {finding.finding_id: finding for finding in findings}
    alike = sorted(known.values(), key=lambda one: (*_place(one), one.first_step, one.rule, one.where))
    beneath: dict[str | None, list[Finding]] = {}
    for finding in alike:
        beneath.setdefault(finding.cause_id if finding.cause_id in known else None, []).append(finding)

    def tree(finding: Finding, depth: int) -> list[tuple[Finding, int]]:
        return [
            (finding, depth),
            *(told for one in beneath.get(finding.finding_id, ()) for told in tree(one, depth + 1)),
        ]

    trees = [tree(leading, 0) for leading in beneath.get(None, ())]
    trees.sort(key=lambda one: min((one[0][0].state == "resolved", _place(finding)[1]) for finding, _ in one))
    return [told for one in trees for told in one]


def _place(finding: Finding) -> tuple[bool, int]:
    return finding.state == "resolved", -GRAVITY[finding.severity]
