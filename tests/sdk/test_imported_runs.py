"""Text that other trackers write, read as runs: tables, JSON lines, MLflow's folders."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.imported import Imported, imported
from trainvitals.importing.errors import CannotImport


def table(folder: Path, text: str, *, file: str = "losses.csv") -> Imported:
    path = folder / file
    path.write_text(text)
    return imported(path)


def lines(folder: Path, *objects: object) -> Imported:
    return table(folder, "".join(f"{json.dumps(one)}\n" for one in objects), file="log.jsonl")


def test_a_table_becomes_series_and_blank_cells_no_points(tmp_path: Path) -> None:
    run = table(tmp_path, "epoch,step,train_loss,val_loss\n0,9,2.0,\n0,9,,2.5\n1,19,1.0,\n")

    assert run.points("train_loss") == [(9, 2.0), (19, 1.0)]
    assert run.points("val_loss") == [(9, 2.5)]
    assert run.points("epoch") == [(9, 0.0), (19, 1.0)]


@pytest.mark.parametrize("name", ["step", "_step", "global_step", "iteration", "Step", "epoch", "trainer/global_step"])
def test_the_column_of_the_steps_is_known_by_its_usual_names(name: str, tmp_path: Path) -> None:
    run = table(tmp_path, f"loss,{name}\n1.5,10\n1.25,20.0\n")

    assert (run.metrics, run.points("loss")) == (["loss"], [(10, 1.5), (20, 1.25)])
    assert run.end.last_step == 20


def test_without_such_a_column_rows_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = table(tmp_path, "loss\n3\n2\n\n1\n")

    assert run.points("loss") == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert "no column is called step: rows are counted instead" in capsys.readouterr().err


def test_rows_are_counted_where_an_epoch_has_several(tmp_path: Path) -> None:
    run = table(tmp_path, "epoch,loss\n0,4\n0,3\n1,2\n1,1\n")

    assert run.points("loss") == [(0, 4.0), (1, 3.0), (2, 2.0), (3, 1.0)]
    assert run.points("epoch") == [(0, 0.0), (1, 0.0), (2, 1.0), (3, 1.0)]


def test_of_a_step_that_comes_twice_the_last_counts(tmp_path: Path) -> None:
    run = table(tmp_path, "step,loss\n0,4\n1,3\n2,2\n1,2.5\n2,1.5\n")

    assert run.points("loss") == [(0, 4.0), (1, 2.5), (2, 1.5)]


@pytest.mark.parametrize(
    ("word", "value"),
    [("NaN", math.nan), ("nan", math.nan), ("Infinity", math.inf), ("inf", math.inf), ("-inf", -math.inf)],
)
def test_what_is_not_finite_survives(word: str, value: float, tmp_path: Path) -> None:
    by_table = table(tmp_path, f"step,loss\n0,1\n1,{word}\n").points("loss")
    by_word = lines(tmp_path, {"step": 0, "loss": 1}, {"step": 1, "loss": word}).points("loss")
    by_number = lines(tmp_path, {"step": 0, "loss": 1}, {"step": 1, "loss": value}).points("loss")

    assert str([by_table, by_word, by_number]) == str([[(0, 1.0), (1, value)]] * 3)


@pytest.mark.parametrize(
    "name", ["learning_rate", "train/learning_rate", "train/lr", "lr-Adam", "lr-AdamW-1", "lr-SGD/pg1"]
)
def test_the_learning_rate_is_known_by_its_usual_spellings(name: str, tmp_path: Path) -> None:
    assert table(tmp_path, f"step,loss,{name}\n0,1,0.5\n").points("lr") == [(0, 0.5)]


def test_all_else_keeps_its_name(tmp_path: Path) -> None:
    names = ["lr", "learning_rate", "val/loss", "clr", "lr_scale", "Accuracy (top-1)"]
    run = table(tmp_path, f"step,{','.join(names)}\n0,1,2,3,4,5,6\n")

    assert run.metrics == names


def test_columns_that_hold_no_numbers_are_left_out_and_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = table(tmp_path, "step,loss,phase,when\n0,1,train,2024_01\n1,oops,train,2024_02\n2,0.5,test,2024_03\n")

    assert (run.metrics, run.points("loss")) == (["loss"], [(0, 1.0), (2, 0.5)])
    said = capsys.readouterr().err
    assert said.count("left out, for they hold no numbers: 'phase', 'when'") == 1
    assert said.count("single values that are no numbers are left out: 'loss' (1)") == 1


@pytest.mark.parametrize("text", ["step;loss\n0;1.5\n", "step\tloss\n0\t1.5\n", "\ufeffstep,loss\r\n0,1.5\r\n"])
def test_other_separators_line_ends_and_a_mark_of_unicode_are_understood(text: str, tmp_path: Path) -> None:
    assert table(tmp_path, text).points("loss") == [(0, 1.5)]


WANDB = '"Step","lucky - sun-1 - loss","lucky - sun-1 - loss__MIN","lucky - sun-1 - loss__MAX"\n"0","2.5","2.5","2.5"\n'


def test_an_export_of_a_chart_of_wandb_is_known_and_names_the_run(tmp_path: Path) -> None:
    run = table(tmp_path, WANDB + '"1","","",""\n"2","NaN","NaN","NaN"\n')

    assert (run.start.name, run.metrics) == ("lucky - sun-1", ["loss"])
    assert str(run.points("loss")) == "[(0, 2.5), (2, nan)]"


def test_an_export_of_wandb_with_several_runs_is_refused(tmp_path: Path) -> None:
    columns = ",".join(f"{run} - loss,{run} - loss__MIN,{run} - loss__MAX" for run in ("a", "b"))

    with pytest.raises(CannotImport, match=r"line 1: it holds 2 runs \('a', 'b'\): export one at a time"):
        table(tmp_path, f"Step,{columns}\n0,1,1,1,2,2,2\n")


def test_objects_within_objects_are_flattened(tmp_path: Path) -> None:
    run = lines(
        tmp_path,
        {"env": "cuda", "seed": 0},
        {"step": 0, "train": {"loss": 1.5, "parts": {"kl": 0.5}}, "done": None},
        {"step": 1, "train": {"loss": 1.0}, "tags": ["a"]},
    )

    assert run.metrics == ["train/loss", "train/parts/kl"]
    assert run.points("train/loss") == [(0, 1.5), (1, 1.0)]


def test_objects_without_a_step_among_others_are_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = lines(tmp_path, {"step": 0, "loss": 1}, {"loss": 9}, {"step": 1, "loss": 0.5})

    assert run.points("loss") == [(0, 1.0), (1, 0.5)]
    assert "rows without 'step' are left out: 1, first line 2" in capsys.readouterr().err


def mlflow_run(folder: Path) -> Path:
    """As MLflow's file store writes one."""
    run = folder / "mlruns/0/0a1b2c"
    files = {
        "meta.yaml": "end_time: 1700000100000\nlifecycle_stage: active\nrun_name: first\nstart_time: 1700000000000\n"
        "status: 4\ntags: []\n",
        "tags/mlflow.runName": "kind-owl-12",
        "params/optimizer": "Adam",
        "params/lr": "0.001",
        "params/layers": "4",
        "metrics/loss": "1700000001000 2.5 0\n1700000002000 nan 1\n",
        "metrics/val/loss": "1700000002000 3.5 1 digits 5f2c\n",
        "metrics/old": "1700000002000 7.5\n",
    }
    for name, text in files.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(text)
    return run


def test_a_run_of_mlflow_brings_metrics_settings_name_times_and_end(tmp_path: Path) -> None:
    run = imported(mlflow_run(tmp_path))

    assert str(run.points("loss")) == "[(0, 2.5), (1, nan)]"
    assert (run.points("val/loss"), run.points("old")) == ([(1, 3.5)], [(0, 7.5)])
    assert run.start.config == {"layers": 4, "lr": 0.001, "optimizer": "Adam"}
    assert (run.start.name, run.start.started_at) == ("kind-owl-12", 1.7e9)
    assert (run.end.status, run.end.ended_at) == ("failed", 1.7e9 + 100)


def test_an_experiment_of_mlflow_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(CannotImport, match="name one of the folders '0a1b2c'"):
        imported(mlflow_run(tmp_path).parent)


def test_many_points_make_many_frames_in_the_order_of_steps_within_the_limits_of_the_wire(tmp_path: Path) -> None:
    rows = [f"{step},{step / 8},{-step if step % 10 == 0 else ''}" for step in range(20_000)]
    run = table(tmp_path, "\n".join(["step,loss,val_loss", *rows]))

    assert run.points("loss") == [(step, step / 8) for step in range(20_000)]
    assert run.points("val_loss") == [(step, -step) for step in range(0, 20_000, 10)]
    reached = [max(points.steps[-1] for points in frame.metrics) for frame in run.frames]
    assert (reached, len(run.frames)) == (sorted(reached), 6)


def test_a_run_has_at_most_4096_metrics_and_the_rest_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = lines(tmp_path, {"step": 0, "x" * 600: 1, **{f"m{number}": number for number in range(5000)}})

    assert len(run.metrics) == 4096
    said = capsys.readouterr().err
    assert "names have 1 to 512 characters" in said
    assert said.count("a run has at most 4,096 metrics: those after 'm4095' are left out") == 1


def test_the_same_points_under_the_same_name_are_the_same_run(tmp_path: Path) -> None:
    for folder, text in {"a": "step,loss\n0,1\n", "b": "step;loss\r\n0;1.0\r\n", "c": "step,loss\n0,1\n1,1\n"}.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "run.csv").write_text(text)
    first, same, grown = (imported(tmp_path / folder / "run.csv") for folder in "abc")
    other = imported(tmp_path / "a/run.csv", name="another")

    assert first.run_id == same.run_id
    assert [frame.writer for frame in first.frames] == [frame.writer for frame in same.frames]
    assert len({first.run_id, grown.run_id, other.run_id}) == 3
    assert len(first.run_id) == 14


@pytest.mark.parametrize(
    ("file", "name"), [("losses.csv", "losses"), ("version_3/metrics.csv", "version_3"), ("out/history.csv", "out")]
)
def test_a_run_without_a_name_is_called_by_its_file_or_folder(file: str, name: str, tmp_path: Path) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)

    assert table(tmp_path, "step,loss\n0,1\n", file=file).start.name == name
