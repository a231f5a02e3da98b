"""The order in which findings are told: what brings about the gravest leads, what follows from it stands beneath."""

from __future__ import annotations

import pytest

from trainvitals.console import Console
from trainvitals.wire.messages import Finding, FindingState, Severity
from trainvitals.wire.ordering import in_order


def finding(
    name: str, severity: Severity = "warning", *, cause: str | None = None, first: int = 0, state: FindingState = "open"
) -> Finding:
    return Finding(
        finding_id=name, run_id="r", rule=name, severity=severity, state=state, cause_id=cause,
        first_step=first, last_step=first + 1, summary="ill",
    )  # fmt: skip


def told(*findings: Finding) -> list[tuple[str, int]]:
    return [(one.rule, depth) for one, depth in in_order(findings)]


def test_a_lesser_cause_of_something_critical_leads_before_what_is_grave_by_itself_but_less() -> None:
    found = [finding("spike"), finding("fading", "critical", cause="sigmoid"), finding("sigmoid", "info", first=9)]

    assert told(*found) == [("sigmoid", 0), ("fading", 1), ("spike", 0)]


def test_what_follows_stands_beneath_its_cause_by_gravity_and_then_by_when_it_began() -> None:
    beneath = [
        finding("late", cause="a", first=5),
        finding("early", cause="a"),
        finding("worst", "critical", cause="a"),
    ]

    assert told(*beneath, finding("further", cause="early"), finding("a")) == [
        *(("a", 0), ("worst", 1), ("early", 1), ("further", 2), ("late", 1)),
    ]


def test_of_causes_that_bring_as_grave_the_graver_leads_and_then_the_earlier() -> None:
    found = [finding("mild"), finding("brought", "critical", cause="mild"), finding("own", "critical", first=8)]

    assert told(*found, finding("second", "critical", first=9))[:2] == [("own", 0), ("second", 0)]


def test_what_is_resolved_comes_last_however_grave_it_was() -> None:
    assert told(finding("gone", "critical", state="resolved"), finding("here", "info")) == [("here", 0), ("gone", 0)]


def test_what_follows_from_a_finding_that_is_not_there_stands_for_itself() -> None:
    assert told(finding("orphan", cause="elsewhere")) == [("orphan", 0)]


def test_a_training_s_terminal_has_this_order_for_what_comes_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    found = [finding("spike"), finding("fading", "critical", cause="sigmoid"), finding("sigmoid", "info")]

    Console().findings(found, url="http://here/runs/r")

    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition("=")[2] for line in lines] == ["sigmoid", "fading", "spike"]
