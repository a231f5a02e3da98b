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


def mlflow_run(folder: Path, **files: str) -> Path:
    """``params__lr`` is the file lr in the folder params."""
    run = folder / "run"
    for name, text in {"metrics__loss": "1 2.5 0\n", "meta": "", **files}.items():
        path = run / ("meta.yaml" if name == "meta" else name.replace("__", "/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return run


@pytest.mark.parametrize("link", ["params/lr", "params", "tags/mlflow.runName", "meta.yaml", "metrics/secret"])
def test_links_are_not_followed(link: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("run_name: secret" if link == "meta.yaml" else "1 7.5 1\n")
    run = mlflow_run(tmp_path)
    (run / "meta.yaml").unlink()
    (run / "tags").mkdir()
    (run / "params").mkdir(exist_ok=True)
    if link == "params":
        (run / link).rmdir()
    else:
        (run / link).parent.mkdir(exist_ok=True)
    (run / link).symlink_to(outside if link == "params" else outside / "secret")
    read = imported(run)

    assert (read.metrics, read.start.config, read.start.name) == (["loss"], {}, "run")
    assert "links are not followed: '" in capsys.readouterr().err


def test_a_run_that_is_reached_by_a_link_is_read(tmp_path: Path) -> None:
    mlflow_run(tmp_path, params__lr="0.5")
    (tmp_path / "link").symlink_to(tmp_path / "run")

    assert imported(tmp_path / "link").start.config == {"lr": 0.5}


def test_of_long_parameters_no_more_is_read_than_is_kept(tmp_path: Path) -> None:
    run = mlflow_run(tmp_path, params__x="a" * 5_000_000, params__y="b")
    tracemalloc.start()
    config = imported(run).start.config
    (_, most), _ = tracemalloc.get_traced_memory(), tracemalloc.stop()

    assert most < 2_000_000
    assert (len(config["x"]), config["x"][-2:], config["y"]) == (20_000, "a…", "b")


@pytest.mark.parametrize("digits", [20, 400, 5000])
def test_numbers_of_many_digits_are_read_as_far_as_they_mean_something(digits: int, tmp_path: Path) -> None:
    run = mlflow_run(tmp_path, meta=f"start_time: {'9' * digits}\n", params__x="9" * digits)
    read = imported(run)

    assert read.start.config == {"x": "9" * digits}
    assert read.start.started_at == pytest.approx((run / "metrics/loss").stat().st_mtime, abs=5)


def test_names_in_several_lines_are_names(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text('"step";"training\nloss, mean"\n0;1.5\n')

    assert imported(tmp_path / "log.csv").points("training loss, mean") == [(0, 1.5)]


def test_a_name_does_not_speak_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["sun\x1b]0;owned\x07", "sun\nrise", "\x1b\x9b"]
    runs = [mlflow_run(tmp_path / str(number), tags__x=name) for number, name in enumerate(names)]
    for run in runs:
        (run / "tags/x").rename(run / "tags/mlflow.runName")

    assert [imported(run).start.name for run in runs] == ["sun ]0;owned", "sun rise", "imported"]


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
    assert "finite values beyond ±3.4e+38, the largest that is kept, are kept as that" in capsys.readouterr().err


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
