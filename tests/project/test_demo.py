"""The demo's own verdict, on short trainings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.postgres import free_port
from trainvitals_server.demo import run_demo

ENOUGH_STEPS = 300  # for the sick one's finding


@pytest.mark.slow
def test_the_demo_stores_every_run_whole_and_finds_only_the_sick_one_ill(tmp_path: Path) -> None:
    assert run_demo(port=free_port(), exit_when_done=True, data=tmp_path, steps=ENOUGH_STEPS) == 0
