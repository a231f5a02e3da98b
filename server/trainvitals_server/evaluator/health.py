"""A run's health, 0 to 100, from its open findings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from trainvitals.wire.messages import Finding, Severity

# a critical finding alone is under half; two warnings are worse than one, and info never costs a colour
COST: Final[dict[Severity, int]] = {"critical": 55, "warning": 20, "info": 3}


def health(findings: Iterable[Finding]) -> int:
    """100 less the cost of every finding that is open or acknowledged; never under 0."""
    cost = sum(COST[finding.severity] for finding in findings if finding.state in ("open", "acknowledged"))
    return max(0, 100 - cost)
