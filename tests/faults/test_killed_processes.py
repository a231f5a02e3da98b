"""Nothing is lost or doubled when servers and trainings are killed without warning."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3

pytestmark = pytest.mark.slow


def loss_steps(server: Any, run_id: str) -> list[int]:
    curve = server.get(f"/api/v1/runs/{run_id}/curve?metric=loss&points=5000")
    assert curve["bucket"] == 1
    steps: list[int] = curve["steps"]
    return steps


def recorded(server: Any, run_id: str) -> int:
    try:
        return len(loss_steps(server, run_id))
    except (AssertionError, urllib3.exceptions.HTTPError):
        return 0  # the run's first request is still on its way


@pytest.fixture(params=["sqlite", "postgresql"])
def server_on_each(request: pytest.FixtureRequest, server: Any) -> Any:
    """The server, on a file, or on a real PostgreSQL."""
    if request.param == "postgresql":
        server.kill()
        server.database = f"{request.getfixturevalue('postgres').url}/postgres"
        server.start()
    return server


def test_keeps_every_step_through_three_killed_servers(
    server_on_each: Any, train: Callable[[int], Any], wait: Any
) -> None:
    server, training = server_on_each, train(400)
    for round_ in range(3):
        training.step(100)
        wait(lambda seen=round_ * 100: recorded(server, training.run_id) > seen, what="steps to arrive")
        server.kill()
        training.step(20)
        server.start()
    training.step(400)
    assert training.process.wait(timeout=60) == 0

    wait(lambda: recorded(server, training.run_id) == 400, what="all 400 steps")
    assert loss_steps(server, training.run_id) == list(range(400))
    wait(lambda: server.get(f"/api/v1/runs/{training.run_id}")["summary"]["status"] == "finished", what="the end")
    wait(lambda: server.get(f"/api/v1/runs/{training.run_id}")["summary"]["health"] is not None, what="the last look")
    assert server.get(f"/api/v1/runs/{training.run_id}/findings")["findings"] == []


def test_ships_what_a_killed_training_left_behind(
    server: Any, train: Callable[[int], Any], wait: Any, tmp_path: Path
) -> None:
    training = train(10_000)
    training.step(50)
    wait(lambda: recorded(server, training.run_id) == 51, what="the first steps")
    server.kill()
    training.step(100)
    spool = tmp_path / "spool"
    before = spool_bytes(spool)
    wait(lambda: spool_bytes(spool) > before, what="the spool to grow while the server is away")
    training.process.kill()
    training.process.wait()
    server.start()

    synced = subprocess.run(
        [sys.executable, "-m", "trainvitals.command", "sync"],
        env={**os.environ, "TRAINVITALS_SERVER_URL": server.url, "TRAINVITALS_DIR": str(spool)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert synced.returncode == 0, synced.stdout + synced.stderr
    steps = loss_steps(server, training.run_id)
    assert len(steps) > 51
    assert steps == list(range(len(steps)))
    assert spool_bytes(spool) == 0


def spool_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and file.suffix != ".lock")
