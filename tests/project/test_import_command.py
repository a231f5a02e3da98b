"""Runs of other trackers: judged there and then by `trainvitals diagnose`, shipped by `trainvitals import`."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real_server import serving
from trainvitals.command import main
from trainvitals_server.store.interface import RunQuery

STEPS = 600


def overfitting(folder: Path) -> Path:
    """As Lightning writes it: the validation loss turns while the training loss falls on."""
    rows = ["epoch,step,train_loss,val_loss"]
    for step in range(STEPS):
        rows.append(f"{step // 50},{step},{2.3 * math.exp(-step / 120) + 0.02 * math.sin(step * 7.3)},")
        if step % 50 == 49:
            rows.append(f"{step // 50},{step},,{2.3 * math.exp(-step / 80) + (step / 300) ** 2 + 0.2}")
    path = folder / "metrics.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def in_a_shell(*words: object) -> subprocess.CompletedProcess[str]:
    """Beside a server: what it does to logging closes streams of this process that `capsys` has put aside."""
    command = [sys.executable, "-m", "trainvitals.command", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_table_is_judged_without_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", str(overfitting(tmp_path))]) == 3

    assert "warning since step 149: overfitting" in capsys.readouterr().out


def test_options_of_diagnose_hold_for_what_is_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = overfitting(tmp_path)

    assert main(["diagnose", "--mute", "overfitting", str(path), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []


def test_an_imported_run_is_a_finished_run_with_the_same_curves_and_findings(tmp_path: Path) -> None:
    path = overfitting(tmp_path)
    with serving(tmp_path) as server:
        done = in_a_shell("import", path, "--project", "digits", "--name", "old", "--server-url", server.url)
        run = server.only_run
        losses = server.points(run.summary.run_id, "train_loss")
        evaluations = server.points(run.summary.run_id, "val_loss")
        found = [finding.rule for finding in server.store.findings(run.summary.run_id)]

    assert (done.returncode, run.summary.status, run.summary.project, run.summary.name) == (
        0,
        "finished",
        "digits",
        "old",
    )
    assert (len(losses), losses[0], [step for step, _ in evaluations]) == (
        STEPS,
        (0, pytest.approx(2.3)),
        [*range(49, 600, 50)],
    )
    assert (run.summary.last_step, found) == (STEPS - 1, ["overfitting"])
    assert f"{server.url}/runs/{run.summary.run_id}" in done.stdout


def test_importing_twice_leaves_one_run_with_each_point_once(tmp_path: Path) -> None:
    path = overfitting(tmp_path)
    with serving(tmp_path) as server:
        statuses = [main(["import", str(path), "--server-url", server.url]) for _ in range(2)]
        run = server.only_run
        points = server.points(run.summary.run_id, "train_loss")

    assert (statuses, run.summary.status, len(points)) == ([0, 0], "finished", STEPS)


def test_a_server_that_is_not_there_is_said_with_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = overfitting(tmp_path)

    assert main(["import", str(path), "--server-url", "http://127.0.0.1:9"]) == 1
    said = capsys.readouterr().err
    assert f"cannot take data now (NewConnectionError); they wait in {path}" in said
    assert f"{path} could not be shipped to http://127.0.0.1:9: import it again when it can." in said


def test_a_token_that_is_wrong_is_said(tmp_path: Path) -> None:
    with serving(tmp_path, token="right") as server:
        done = in_a_shell("import", overfitting(tmp_path), "--server-url", server.url, "--token", "wrong")

    assert (done.returncode, "wants another token" in done.stderr) == (1, True)


def test_what_cannot_be_meant_is_not_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(overfitting(tmp_path)), "--server-url", "nowhere"]) == 2
    assert "server URL 'nowhere' is none" in capsys.readouterr().err


def test_a_shell_is_given_the_exit_status(tmp_path: Path) -> None:
    judged, helped = in_a_shell("diagnose", overfitting(tmp_path)), in_a_shell("import", "--help")

    assert (judged.returncode, judged.stderr, helped.returncode) == (3, "", 0)
    assert "trainer_state.json" in helped.stdout


def test_a_loss_by_another_name_is_named(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,kl_per_word\n" + "".join(f"{step},{2.0 - step / 200}\n" for step in range(100)))
    with serving(tmp_path) as server:
        known = in_a_shell("import", path, "--loss", "kl_per_word", "--server-url", server.url)
        run = server.only_run.summary
        unknown = in_a_shell("import", path, "--loss", "kl", "--server-url", server.url)
        without = in_a_shell("import", path, "--server-url", server.url)
        runs = {run.run_id: run.loss for run in server.store.runs(RunQuery()).runs}

    assert (known.returncode, run.loss) == (0, "kl_per_word")
    assert (unknown.returncode, "no metric 'kl', only kl_per_word" in unknown.stderr + unknown.stdout) == (1, True)
    assert (without.returncode, set(runs.values())) == (0, {"kl_per_word", None})


def test_a_table_of_which_nothing_is_found_is_said_to_have_been_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,loss\n" + "".join(f"{step},{2.0 / (1 + step / 20)}\n" for step in range(100)))

    assert main(["diagnose", str(path)]) == 0
    assert capsys.readouterr().out == "Nothing found in 100 steps of 1 metric.\n"
