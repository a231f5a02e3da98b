"""A full health is shown only where enough is known to say so."""

from __future__ import annotations

from typing import Any

import pytest

from trainvitals.wire.answers import RunSummary
from trainvitals.wire.messages import Finding
from trainvitals_dashboard.parts.health import health_ring, told_health

RUNNING = RunSummary(run_id="r", project="p", name="n", status="running", created_at=0, heartbeat_at=0, last_step=9)


def words(summary: RunSummary, *findings: Finding) -> list[str]:
    ring, said = health_ring(summary, findings).children
    return [ring.label.children, *(part.children for part in said.children[1:])]


def summary(**known: Any) -> RunSummary:
    fields = {name: getattr(RUNNING, name) for name in RunSummary.__struct_fields__}
    return RunSummary(**{**fields, **known})


@pytest.mark.parametrize(
    ("run", "shown"),
    [
        (summary(), ["–", "Not judged yet", "no open findings"]),
        (summary(health=100), ["100", "Healthy", "no open findings"]),
        (summary(health=100, little_known=True), ["–", "Little known yet", "most rules have too little to go by"]),
        (
            summary(health=100, little_known=True, status="finished"),
            ["–", "Little known", "most rules have too little to go by"],
        ),
        (summary(health=100, status="failed"), ["–", "It failed", "no open findings"]),
        (summary(health=100, status="lost"), ["–", "It was lost", "no open findings"]),
        (summary(health=75, status="failed"), ["75", "Needs attention", "no open findings"]),
        (
            summary(health=30, little_known=True, open_findings={"critical": 1}),
            ["30", "Sick", "open: 1 critical"],
        ),
    ],
)
def test_what_is_not_known_is_no_hundred(run: RunSummary, shown: list[str]) -> None:
    assert words(run) == shown


def test_what_people_took_out_of_the_health_is_told_beside_it() -> None:
    told = {"finding_id": "f", "run_id": "r", "rule": "loss_spike", "first_step": 1, "last_step": 2, "summary": ""}
    snoozed = Finding(severity="warning", state="snoozed", **told)
    closed = Finding(severity="critical", state="resolved", closed_by="Ada", **told)
    over, known = (
        Finding(severity="warning", state="resolved", **told),
        Finding(severity="info", state="snoozed", **told),
    )

    shown = words(summary(health=100), snoozed, snoozed, closed, over, known)

    assert shown == ["100", "Healthy", "no open findings, 2 snoozed, 1 resolved by hand"]


def test_a_finding_is_known_whatever_else_is_not() -> None:
    assert told_health(summary(health=98, little_known=True)) == 98
