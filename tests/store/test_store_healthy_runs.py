"""The runs that were healthy before another one began, on each database."""

from __future__ import annotations

import pytest

from tests.store.sample_frames import start
from trainvitals.wire.messages import Finding, FindingState, Severity
from trainvitals_server.store.interface import RunQuery, Store


def finding(severity: Severity, state: FindingState = "open") -> Finding:
    return Finding(
        finding_id="f", run_id="r", rule="loss_spike", severity=severity, state=state, first_step=0, last_step=1,
        summary="ill",
    )  # fmt: skip


def healthy(store: Store, *, before: float | None = None) -> list[str]:
    return [row.run_id for row in store.runs(RunQuery(is_healthy=True, created_before=before)).runs]


@pytest.mark.parametrize(
    ("health", "found", "is_healthy"),
    [
        (100, [], True),
        (80, [finding("info")], True),
        (79, [finding("info")], True),
        (79, [finding("warning")], False),
        (30, [finding("critical", "acknowledged")], False),
        (79, [finding("critical", "resolved")], True),
        (82, [finding("warning", "snoozed")], True),
        (None, [], False),
    ],
)
def test_a_run_is_healthy_by_its_health_or_for_want_of_grave_findings(
    store: Store, health: int | None, found: list[Finding], is_healthy: bool
) -> None:
    start(store, "r")
    store.save_findings("r", found, health=health)

    assert healthy(store) == (["r"] if is_healthy else [])


def test_only_runs_that_began_before_are_asked_for(store: Store) -> None:
    for place in range(3):
        start(store, f"run-{place}", started_at=float(place))
        store.save_findings(f"run-{place}", [], health=100)

    assert healthy(store, before=2.0) == ["run-1", "run-0"]
