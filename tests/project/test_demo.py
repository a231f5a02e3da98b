"""The demo's own verdict, on short trainings."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from trainvitals_server.demo import run_demo

ENOUGH_STEPS = 300  # for the sick one's finding


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.slow
def test_the_demo_stores_every_run_whole_and_finds_only_the_sick_one_ill(tmp_path: Path) -> None:
    assert run_demo(port=free_port(), exit_when_done=True, data=tmp_path, steps=ENOUGH_STEPS) == 0
