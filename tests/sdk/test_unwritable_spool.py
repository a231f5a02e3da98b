"""A run whose spool cannot be written: it arrives while the server answers, and disturbs nobody where none does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import trainvitals
from tests.postgres import free_port
from tests.real_server import RealServer
from trainvitals.spool import MAX_HELD_BYTES, Spool

STEPS = 500
UNWRITABLE = "cannot be written"


@pytest.fixture
def unwritable(tmp_path: Path) -> Path:
    """A folder that cannot be made, not even by root: its parent is a file."""
    (tmp_path / "file").write_text("not a folder")
    return tmp_path / "file" / "spool"


def train(run: trainvitals.Run) -> None:
    for step in range(STEPS):
        run.log({"loss": float(step)})
    run.finish()


def test_a_run_without_a_spool_arrives_whole_while_the_server_answers(
    server: RealServer, unwritable: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(trainvitals.init(mode="online", directory=unwritable, server_url=server.url))

    run = server.only_run.summary
    assert run.status == "finished"
    assert server.points(run.run_id, "loss") == [(step, float(step)) for step in range(STEPS)]
    said = capsys.readouterr().err
    assert said.count(UNWRITABLE) == 1
    assert "lost" not in said


def test_a_run_without_a_spool_arrives_whole_at_a_server_that_comes_late(serving: Any, unwritable: Path) -> None:
    port = free_port()
    run = trainvitals.init(mode="online", directory=unwritable, server_url=f"http://127.0.0.1:{port}")
    run.log({"loss": 1.0})
    receiver = serving(port)
    receiver.wait_for(lambda: receiver.points("loss") == [(0, 1.0)])
    run.finish()
    assert receiver.ended


def test_a_run_without_spool_and_server_ends_in_peace_and_says_what_is_lost(
    unwritable: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(trainvitals.init(mode="online", directory=unwritable, server_url=f"http://127.0.0.1:{free_port()}"))

    said = capsys.readouterr().err
    assert said.count(UNWRITABLE) == 1
    assert "they wait in memory" in said
    assert "what has not is lost" in said


def test_an_offline_run_without_a_spool_records_nothing_and_says_so(
    unwritable: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(trainvitals.init(mode="offline", directory=unwritable))
    assert "nothing is recorded" in capsys.readouterr().err


def test_of_what_memory_cannot_hold_the_oldest_frames_go_and_never_the_start(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "r.1.spool")
    spool.append("start", b"who this is")
    for number in range(3):
        spool.append("frame", bytes([number]) * (MAX_HELD_BYTES // 2))

    first = spool.next()
    assert first is not None
    assert first.kind == "start"
    spool.acknowledge(first)
    second = spool.next()
    assert second is not None
    assert second.payload[0] == 2
    assert spool.close() == 3
