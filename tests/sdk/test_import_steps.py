"""Which column has the steps of a log, where several could and some begin anew in each epoch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.imported import Imported, imported

COLUMNS = {"step": lambda epoch, batch: batch, "global_step": lambda epoch, batch: 10 * epoch + batch}
COUNTED = [*range(30)]


def log(folder: Path, *rows: dict[str, object], suffix: str = "jsonl") -> Imported:
    path = folder / f"log.{suffix}"
    if suffix == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    else:
        lines = [rows[0].keys(), *(row.values() for row in rows)]
        path.write_text("".join(",".join(map(str, line)) + "\n" for line in lines))
    return imported(path)


def within_epochs(*names: str, epochs: int = 3) -> list[dict[str, object]]:
    """Ten rows to an epoch, as loops write them that log what ``enumerate(loader)`` counts."""
    columns = {"epoch": lambda epoch, batch: epoch, **COLUMNS}
    return [
        {**{name: columns[name](epoch, batch) for name in names}, "loss": 3 - epoch - batch / 16}
        for epoch in range(epochs)
        for batch in range(10)
    ]


def steps(run: Imported, metric: str = "loss") -> list[int]:
    return [step for step, _ in run.points(metric)]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize(("names", "epochs"), [(("epoch", "step"), 3), (("epoch", "step"), 2), (("step",), 3)])
def test_rows_are_counted_where_steps_begin_anew_in_each_epoch(
    names: tuple[str, ...], epochs: int, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = log(tmp_path, *within_epochs(*names, epochs=epochs), suffix=suffix)

    assert run.points("loss")[9:11] == [(9, 3 - 9 / 16), (10, 2.0)]
    assert steps(run) == COUNTED[: 10 * epochs]
    assert "'step' begins anew time and again" in capsys.readouterr().err


def test_a_column_that_counts_on_is_taken_before_one_that_begins_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = within_epochs("epoch", "step", "global_step")
    run = log(tmp_path, *(row for row in rows if row["step"] != 5))

    assert steps(run) == [step for step in COUNTED if step % 10 != 5]
    assert "'step' begins anew time and again: steps are those of 'global_step' instead" in capsys.readouterr().err


def test_a_column_that_falls_back_or_has_gaps_does_not_take_its_place(tmp_path: Path) -> None:
    rows = within_epochs("epoch", "step", "global_step")
    rows[7]["global_step"] = None

    assert steps(log(tmp_path, *rows)) == COUNTED


def test_epochs_are_the_steps_of_a_row_to_an_epoch(tmp_path: Path) -> None:
    run = log(tmp_path, *({"epoch": epoch, "step": 99, "loss": 3 - epoch} for epoch in range(4)))

    assert run.points("loss") == [(0, 3.0), (1, 2.0), (2, 1.0), (3, 0.0)]


def test_an_epoch_that_is_told_in_rows_of_its_own_counts_too(tmp_path: Path) -> None:
    rows = within_epochs("step", epochs=2)
    run = log(tmp_path, {"epoch": 0}, *rows[:10], {"epoch": 1}, *rows[10:])

    assert len(steps(run)) == 20


@pytest.mark.parametrize("with_epochs", [True, False])
def test_a_run_that_was_resumed_repeats_steps_and_its_newest_points_count(
    with_epochs: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    passes = [*range(100), *range(60, 150), *range(120, 200)]
    rows = [{"step": step, "loss": float(row)} for row, step in enumerate(passes)]
    run = log(tmp_path, *({"epoch": row["step"] // 50, **row} if with_epochs else row for row in rows))

    assert steps(run) == [*range(200)]
    assert (run.points("loss")[59:61], run.points("loss")[120]) == ([(59, 59.0), (60, 100.0)], (120, 190.0))
    assert "left out, for later points of the same steps took their place: 'loss' (70)" in capsys.readouterr().err


def test_a_run_that_was_begun_anew_with_its_epochs_is_one_that_was_resumed(tmp_path: Path) -> None:
    begun = within_epochs("epoch", "global_step", epochs=2)

    assert steps(log(tmp_path, *begun, *begun, *within_epochs("epoch", "global_step"))) == COUNTED


def test_a_point_that_comes_twice_alike_is_no_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training, evaluation = {"epoch": 0, "step": 9, "loss": 1.5}, {"epoch": 0, "step": 9, "val_loss": 2.5}

    assert steps(log(tmp_path, training, evaluation), "epoch") == [9]
    assert capsys.readouterr().err == ""


def test_points_that_others_take_the_place_of_are_told_of_every_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/loss").write_text("1 3.5 0\n2 2.5 0\n3 nan 1\n4 nan 1\n")
    (tmp_path / "meta.yaml").touch()

    assert str(imported(tmp_path).points("loss")) == "[(0, 2.5), (1, nan)]"
    assert "later points of the same steps took their place: 'loss' (1)" in capsys.readouterr().err


def test_points_in_any_order_are_put_in_order(tmp_path: Path) -> None:
    count = 3000
    run = log(tmp_path, *({"step": 7 * row % count, "loss": row} for row in range(count)), suffix="csv")

    assert steps(run) == [*range(count)]
    assert run.points("loss")[7] == (7, 1.0)
