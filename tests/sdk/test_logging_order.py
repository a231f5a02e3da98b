"""What is logged too late, or for a step that is over, is told of once, and stops no training."""

from __future__ import annotations

from pathlib import Path

import pytest

import trainvitals as tv
from tests.real_server import RealServer, wait_until
from tests.sdk.conftest import Offline

LATE = "log() after the run has ended records nothing"
BACK = "of a step that comes again the later value takes the place of the earlier one"


def test_what_is_logged_after_the_end_is_told_of_once(offline: Offline, capsys: pytest.CaptureFixture[str]) -> None:
    run = offline.init()
    run.log({"loss": 1.0})
    run.finish()
    assert LATE not in capsys.readouterr().err
    for value in (2.0, 3.0):
        run.log({"loss": value})
        tv.log({"loss": value})

    assert capsys.readouterr().err.count(LATE) == 1
    assert offline.points("loss") == [(0, 1.0)]


def test_a_run_that_never_recorded_says_nothing_of_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tv.init(mode="disabled", directory=tmp_path)
    run.finish()
    run.log({"loss": 1.0})

    assert LATE not in capsys.readouterr().err


def test_steps_that_begin_anew_are_told_of_once_and_the_later_values_stay(
    server: RealServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tv.init(server_url=server.url, directory=tmp_path / "spool", project="tests") as run:
        for epoch in range(3):
            for batch in range(4 - epoch):
                run.log({"loss": 10.0 * epoch + batch}, step=batch)

    said = capsys.readouterr().err
    assert said.count(BACK) == 1
    assert "'loss' came for step 3 and now for step 0" in said
    wait_until(lambda: len(server.points(run.run_id, "loss")) == 4, what="the points")
    assert server.points(run.run_id, "loss") == [(0, 20.0), (1, 21.0), (2, 12.0), (3, 3.0)]


def test_a_metric_of_an_earlier_step_than_another_s_is_in_order(
    offline: Offline, capsys: pytest.CaptureFixture[str]
) -> None:
    with offline.init() as run:
        for step in range(0, 50, 10):
            run.log({"loss": 1.0}, step=step)
            run.log({"loss": 1.0, "accuracy": 0.5}, step=step)
            run.log({"evaluated": 0.5}, step=step // 2)  # of a checkpoint, by another process that takes its time

    assert BACK not in capsys.readouterr().err
