"""Joins findings into a diagnosis: which of them follow from which."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from trainvitals.wire.messages import Finding

STANDING = ("open", "acknowledged", "snoozed")


def causes(findings: Iterable[Finding], follows_from: Callable[[str], Sequence[str]]) -> dict[str, str]:
    """Of each standing finding that follows from another one: its id → the other's id.

    ``follows_from`` tells of a rule from which rules' ills its own may follow, the likeliest first. A finding follows
    from the first of these that stands, or that a person has resolved, and did not begin after it was last seen; never,
    by whatever way, from itself. What is only worth knowing has brought about a warning only where no graver ill may
    have: of itself it says that no harm is seen.
    """
    every = list(findings)
    standing = [finding for finding in every if finding.state in STANDING]
    # who has resolved a cause has not found each of its consequences to stand for itself
    leading = [finding for finding in every if finding.state in STANDING or finding.closed_by is not None]
    found: dict[str, str] = {}
    for finding in standing:
        wanted = list(follows_from(finding.rule))
        candidates = [
            other
            for other in leading
            if other.rule in wanted and other is not finding and other.first_step <= finding.last_step
        ]
        candidates.sort(
            key=lambda one: (
                one.severity == "info" and finding.severity != "info",
                wanted.index(one.rule),
                one.first_step,
                one.finding_id,
            )
        )
        for other in candidates:
            if finding.finding_id not in _way_up(other.finding_id, found):
                found[finding.finding_id] = other.finding_id
                break
    return found


def _way_up(finding_id: str, found: dict[str, str]) -> list[str]:
    way = [finding_id]
    while (above := found.get(way[-1])) is not None:
        way.append(above)
    return way
