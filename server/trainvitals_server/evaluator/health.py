"""The health of a run, and of its layers, 0 to 100, from open findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from trainvitals.wire.messages import Finding, Severity
from trainvitals_server.evaluator.acting import is_graver

# the gravest finding costs its colour, further ones less, and info never costs a colour
FIRST: Final[dict[Severity, int]] = {"critical": 70, "warning": 25, "info": 2}
FURTHER: Final[dict[Severity, int]] = {"critical": 10, "warning": 8, "info": 2}


def health(findings: Iterable[Finding]) -> int:
    """100 less the cost of the findings that are open or acknowledged; never under 0. What follows from another finding
    that is as grave costs nothing: one ill is one ill, however much comes of it; and it goes with that one when a
    person snoozes or resolves it."""
    known = {finding.finding_id: finding for finding in findings}
    standing = filter(is_standing, known.values())
    counts = Counter(finding.severity for finding in standing if not _is_covered(finding, known))
    gravest = next((severity for severity in FIRST if counts[severity]), None)
    cost = sum(count * FURTHER[severity] for severity, count in counts.items())
    return max(0, 100 - cost - (FIRST[gravest] - FURTHER[gravest] if gravest else 0))


def layer_health(findings: Iterable[Finding]) -> dict[str, int]:
    """The health of each layer that a standing finding names, by the same arithmetic over these findings alone."""
    concerning: dict[str, list[Finding]] = {}
    for finding in findings:
        for layer in finding.layers:
            concerning.setdefault(layer, []).append(finding)
    return {layer: health(found) for layer, found in concerning.items() if any(map(is_standing, found))}


def is_standing(finding: Finding) -> bool:
    """Whether it costs health."""
    return finding.state in ("open", "acknowledged")


def _is_covered(finding: Finding, known: dict[str, Finding]) -> bool:
    """Whether it follows from a finding that is as grave, and that stands or was dealt with by a person."""
    cause = known.get(finding.cause_id or "")
    if cause is None or is_graver(finding.severity, cause.severity):
        return False
    return cause.state != "resolved" or cause.closed_by is not None
