"""Disks that are full, databases that are gone, trainings that fall silent: said plainly, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Server, Training, limit_files
from tests.faults.test_killed_processes import loss_steps, recorded, spool_bytes
from tests.postgres import Postgres

pytestmark = pytest.mark.slow
Train = Callable[[int], Training]


def _end(server: Server, training: Training, wait: Any, *, steps: int) -> None:
    """Let the training finish and hold the server to every step."""
    training.step(steps)
    assert training.process.wait(timeout=60) == 0
    wait(lambda: recorded(server, training.run_id) == steps, what=f"all {steps} steps")
    assert loss_steps(server, training.run_id) == list(range(steps))


def test_keeps_every_step_while_the_server_s_disk_is_full(server: Server, train: Train, wait: Any) -> None:
    training = train(300)
    training.step(100)
    wait(lambda: recorded(server, training.run_id) > 50, what="the first steps")
    assert server.process is not None
    limit_files(server.process, 32_768)  # enough for its log, and less than its database has already
    training.step(100)
    wait(lambda: "store is unavailable" in training.terminal, what="the training's terminal to say so")
    assert server.complaint
    wait(lambda: "not stored" in server.terminal, what="the server's terminal to say so")
    limit_files(server.process, None)
    wait(lambda: "takes data again" in training.terminal, what="the training's terminal to give the all-clear")
    _end(server, training, wait, steps=300)


def test_keeps_every_step_while_the_training_s_disk_is_full(
    server: Server, train: Train, wait: Any, tmp_path: Path
) -> None:
    training = train(300)
    training.step(50)
    wait(lambda: recorded(server, training.run_id) > 0, what="the first steps")
    server.kill()
    training.step(50)
    room = 8192  # enough for what the terminal is told
    wait(lambda: spool_bytes(tmp_path / "spool") > room, what="the spool to grow")
    limit_files(training.process, room)
    training.step(50)
    wait(lambda: "spool cannot be written" in training.terminal, what="the terminal to say so")
    limit_files(training.process, None)
    server.start()
    _end(server, training, wait, steps=300)


def test_keeps_every_step_while_postgresql_is_away(server: Server, train: Train, wait: Any, postgres: Postgres) -> None:
    server.kill()
    server.database = f"{postgres.url}/postgres"
    server.start()
    training = train(300)
    training.step(100)
    wait(lambda: recorded(server, training.run_id) > 50, what="the first steps")
    postgres.stop()
    training.step(100)
    wait(lambda: "store is unavailable" in training.terminal, what="the training's terminal to say so")
    assert "connection" in server.complaint
    postgres.start()
    _end(server, training, wait, steps=300)
    assert server.complaint == ""


def test_a_server_ships_at_its_start_what_a_killed_training_left(
    server: Server, train: Train, wait: Any, tmp_path: Path
) -> None:
    training = train(1000)
    training.step(50)
    wait(lambda: recorded(server, training.run_id) == 51, what="the first steps")
    server.kill()
    spool = tmp_path / "spool"
    before = spool_bytes(spool)
    training.step(100)
    wait(lambda: spool_bytes(spool) > before, what="the spool to grow while the server is away")
    training.process.kill()
    training.process.wait()
    server.settings["TRAINVITALS_DIR"] = str(spool)
    server.start()
    wait(lambda: spool_bytes(spool) == 0, what="the server to ship what was left")
    steps = loss_steps(server, training.run_id)
    assert len(steps) > 51
    assert steps == list(range(len(steps)))


def test_a_run_whose_training_fell_silent_is_lost_until_it_is_heard_again(
    server: Server, train: Train, wait: Any
) -> None:
    server.kill()
    server.settings["TRAINVITALS_LOST_AFTER_SECONDS"] = "1"
    server.start()
    training = train(200)

    def status() -> object:
        return server.get(f"/api/v1/runs/{training.run_id}")["summary"]["status"]  # type: ignore[index]

    training.step(50)
    wait(lambda: recorded(server, training.run_id) == 51, what="the first steps")
    wait(lambda: status() == "lost", what="the silent run to be lost")
    training.step(10)
    wait(lambda: status() == "running", what="the run to be heard again")
