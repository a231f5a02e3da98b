"""The examples run as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_without_a_server_too(example: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "TRAINVITALS_MODE": "offline", "TRAINVITALS_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, example], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "trainvitals sync" in done.stderr
