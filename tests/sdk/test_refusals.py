"""What the server does not take, and does not take now: the rest arrives all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sdk.test_delivery import online


def test_what_was_damaged_on_its_way_is_sent_again(receiver: Any, tmp_path: Path) -> None:
    receiver.problem = "checksum-mismatch"
    receiver.refusals.extend([(422, {})] * 2)
    run = online(receiver, tmp_path)
    run.log({"loss": 1.0})
    run.finish()
    assert receiver.points("loss") == [(0, 1.0)]
    assert receiver.ended


def test_what_is_damaged_each_time_holds_nothing_up(
    receiver: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = online(receiver, tmp_path)
    receiver.wait_for(lambda: len(receiver.paths) == 1)
    receiver.problem = "checksum-mismatch"
    receiver.refusals.extend([(422, {})] * 3)
    run.log({"loss": 1.0})
    run.finish()
    assert receiver.ended
    assert "dropped: 1 (refused by the server)" in capsys.readouterr().err


def test_data_wait_for_a_server_that_is_older_than_they_are(
    receiver: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.problem = "unknown-version"
    receiver.refusals.append((422, {}))
    run = online(receiver, tmp_path)
    run.log({"loss": 1.0})
    receiver.wait_for(lambda: not receiver.refusals)
    run.finish()
    said = capsys.readouterr().err
    assert "data wait in" in said
    assert "dropped" not in said
    assert receiver.points("loss") == [(0, 1.0)]  # the end tries once more


def test_a_part_of_a_frame_that_is_refused_takes_no_other_with_it(receiver: Any, tmp_path: Path) -> None:
    run = online(receiver, tmp_path)
    receiver.wait_for(lambda: len(receiver.paths) == 1)
    receiver.refusals.extend([(413, {}), (422, {})])
    for step in range(4):
        run.log({"loss": float(step)}, step=step)
    run.finish()
    assert receiver.ended
    assert receiver.points("loss") == [(2, 2.0), (3, 3.0)]
