"""What a run's page says of a close look that was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from trainvitals.wire.answers import RunDetail, RunSummary
from trainvitals.wire.capture import Capture
from trainvitals_dashboard.parts.capture import capture, is_under_way, said

NOW = 1000.0


def run(last_step: int | None = 100, *, status: Any = "running", **request: Any) -> RunDetail:
    summary = RunSummary(
        run_id="r", project="p", name="n", status=status, created_at=0, heartbeat_at=0, last_step=last_step
    )
    return RunDetail(summary=summary, capture=Capture(**{"number": 1, "asked_at": NOW, **request}) if request else None)


@pytest.mark.parametrize(
    ("detail", "text", "under_way"),
    [
        (run(), "", False),
        (run(asked_at=NOW - 100), "Asked; the training will sample its next 20 steps.", True),
        (run(asked_at=NOW - 121), "The training did not answer. Ask again.", False),
        (run(outcome="begun", step=1100), "Sampling steps 1,100 to 1,119.", True),
        (run(1119, outcome="begun", step=1100), "Sampling steps 1,100 to 1,119.", True),
        (run(1120, outcome="begun", step=1100), "Captured steps 1,100 to 1,119.", False),
        (run(None, outcome="begun", step=0), "Sampling steps 0 to 19.", True),
        (run(outcome="too soon", step=500), "Captured just now; again from step 500.", False),
        (run(500, outcome="too soon", step=500), "", False),
        (run(outcome="not watched"), "Nothing to sample: no model is watched.", False),
        (run(status="finished", asked_at=NOW), "Asked; the training will sample its next 20 steps.", False),
    ],
)
def test_says_what_becomes_of_it(detail: RunDetail, text: str, under_way: bool) -> None:
    assert (said(detail, now=NOW), is_under_way(detail, now=NOW)) == (text, under_way)


@pytest.mark.parametrize("status", ["finished", "failed", "stopped", "lost"])
def test_who_does_not_train_is_not_asked(status: str) -> None:
    assert capture(run(status=status), now=NOW).hidden
    assert not capture(run(), now=NOW).hidden
