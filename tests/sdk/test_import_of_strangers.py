"""What others wrote may be odd or meant ill: nothing but the run is shipped, and the terminal stays ours."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from tests.imported import imported
from trainvitals.console import Console
from trainvitals.importing.command import read_for_import

LARGEST = (2 - 2**-23) * 2.0**127


def test_true_and_false_are_no_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"step": 0, "ok": True, "loss": 1}, {"step": 1, "ok": False, "loss": True}]
    (tmp_path / "log.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    run = imported(tmp_path / "log.jsonl")

    assert (run.metrics, run.points("loss")) == (["loss"], [(0, 1.0)])
    assert "left out, for they hold no numbers: 'ok'" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["1e300", "1" + "0" * 400])
def test_a_large_finite_value_stays_finite(number: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log.jsonl").write_text(f'{{"step": 0, "loss": {number}}}\n{{"step": 1, "loss": -{number}}}\n')

    assert imported(tmp_path / "log.jsonl").points("loss") == [(0, LARGEST), (1, -LARGEST)]
    assert "are 3.4e+38, or -3.4e+38" in capsys.readouterr().err


@pytest.mark.parametrize("stride", [1, 7919], ids=["in order", "in no order"])
def test_little_more_is_held_than_the_values(stride: int, tmp_path: Path) -> None:
    count = 40_000
    (tmp_path / "log.csv").write_text("step,loss\n" + "".join(f"{stride * row % count},1\n" for row in range(count)))
    tracemalloc.start()
    run = read_for_import(tmp_path / "log.csv", Console(), project="tests")
    frames = sum(1 for _ in run.records()) - 2
    (_, most), _ = tracemalloc.get_traced_memory(), tracemalloc.stop()

    assert (frames, run.points) == (10, count)
    assert most < 75 * count  # bytes: steps and values are 16
