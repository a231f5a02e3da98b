"""The demo's own verdict, on short trainings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3

from tests.faults.conftest import wait_until
from tests.postgres import free_port
from tests.real_server import serving
from trainvitals_server.demo import run_demo

ENOUGH_STEPS = 300  # for the sick one's finding


@pytest.mark.slow
def test_the_demo_stores_every_run_whole_and_finds_only_the_sick_one_ill(tmp_path: Path) -> None:
    assert run_demo(port=free_port(), exit_when_done=True, data=tmp_path, steps=ENOUGH_STEPS) == 0


@pytest.mark.slow
def test_ctrl_c_stops_trainings_and_server_without_a_fuss(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "trainvitals.command", "demo", "--port", str(port), "--data", str(tmp_path)]
    environment = {**os.environ, "TRAINVITALS_DIR": str(tmp_path / "spool")}
    with (tmp_path / "terminal").open("w") as terminal:
        demo = subprocess.Popen(command, stdout=terminal, stderr=terminal, env=environment, preexec_fn=heed_ctrl_c)
    try:
        wait_until(lambda: steps_taken(port) > 20, what="the trainings to begin")
        demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=60) == 0
    finally:
        demo.kill()
        demo.wait()
    said = (tmp_path / "terminal").read_text()
    assert "Traceback" not in said
    assert said.count(": stopped, with health ") == 3  # the server went last
    assert not [path for path in (tmp_path / "spool").rglob("*") if path.is_file()]


@pytest.mark.slow
def test_the_demo_does_not_take_another_server_for_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(tmp_path) as other:
        port = int(other.url.rsplit(":", 1)[1])
        assert run_demo(port=port, exit_when_done=True, data=tmp_path / "demo", steps=1) == 1
        assert other.runs == []
    assert f"port {port} of this machine cannot be had" in capsys.readouterr().out


def heed_ctrl_c() -> None:
    """What a shell starts in the background ignores Ctrl-C, and its children with it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def steps_taken(port: int) -> int:
    """Of the slowest of the three."""
    try:
        answer = urllib3.request("GET", f"http://127.0.0.1:{port}/api/v1/runs", retries=False)
    except urllib3.exceptions.HTTPError:
        return 0
    runs = answer.json()["runs"]
    return min(run["last_step"] or 0 for run in runs) if len(runs) == 3 else 0
