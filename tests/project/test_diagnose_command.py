"""`trainvitals diagnose`: a run's findings for people and for programs, and an exit status for CI."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

import trainvitals as tv
from tests.real_server import RealServer, serving, wait_until
from trainvitals.command import main
from trainvitals.wire.messages import Finding

RECORDED = Path(__file__).parents[2] / "clinic" / "recorded"
LOSSES = {"well": [2.0 / (1 + step / 20) for step in range(100)], "sick": [1.0, float("nan"), float("nan")]}


def spool_of(name: str, folder: Path) -> str:
    """What an offline run leaves behind."""
    with tv.init(mode="offline", directory=folder, project="tests", name=name) as run:
        for loss in LOSSES[name]:
            run.log({"loss": loss})
    (spool,) = folder.rglob("*.spool")
    return str(spool)


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [("well", 0, "Nothing found in 100 steps of "), ("sick", 3, "non_finite_values")],
)
def test_a_spool_is_judged_without_a_server(
    name: str, status: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spool = spool_of(name, tmp_path)
    before = Path(spool).read_bytes()

    assert main(["diagnose", spool]) == status
    assert words in capsys.readouterr().out
    assert Path(spool).read_bytes() == before


def test_the_numbers_that_speak_for_a_finding_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    main(["diagnose", str(RECORDED / "updates_too_large-adam-0.run.zst")])

    told = capsys.readouterr().out
    assert "perhaps: " not in told  # of all of its causes the run tells something
    assert re.search(
        r"\(best [\d.]+; rate then [\d.]+; rate now [\d.]+; threshold > [\d.]+; noticed at step \d+\)", told
    )
    assert "likely: the learning rate's peak is beyond what this network bears (0.3 is 100 times" in told


def test_programs_are_told_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["diagnose", spool_of("sick", tmp_path), "--format", "json"])

    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["rule"], finding["severity"], finding["first_step"]) == ("non_finite_values", "critical", 1)


def test_a_run_is_told_as_its_server_judged_it(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        with tv.init(server_url=server.url, directory=tmp_path / "spool", project="tests", name="sick") as run:
            for loss in LOSSES["sick"]:
                run.log({"loss": loss})
        wait_until(lambda: server.store.findings(run.run_id), what="the finding")

        known, unknown = diagnose(run.run_id, server.url), diagnose("nobody", server.url)
        (finding,) = server.store.findings(run.run_id)
        snooze(server, finding)
        wait_until(lambda: server.store.findings(run.run_id)[0].state == "snoozed", what="it to be snoozed")
        snoozed = diagnose(run.run_id, server.url)
        mistyped = diagnose(run.run_id, server.url, "--mute", "non-finite-value")

    assert (mistyped.returncode, "no rule 'non-finite-value': there is non_finite_values" in mistyped.stderr) == (
        2,
        True,
    )
    assert (known.returncode, "trainvitals rule non_finite_values" in known.stdout) == (3, True)
    assert "✗ check the inside: 1 failed (non_finite_values)" in known.stdout
    assert re.search(r"\n\d rules could not look: no loss function .* was seen at work\.\n  → Have the", known.stdout)
    assert (unknown.returncode, "nobody" in unknown.stderr) == (1, True)
    assert (snoozed.returncode, "critical (snoozed) since step" in snoozed.stdout) == (0, True)


def snooze(server: RealServer, finding: Finding) -> None:
    """For a hundred steps."""
    path = f"{server.url}/api/v1/runs/{finding.run_id}/findings/{finding.finding_id}"
    assert httpx2.post(path, json={"act": "snooze", "steps": 100, "by": "me"}).is_success


def diagnose(run_id: str, url: str, *more: str) -> subprocess.CompletedProcess[str]:
    """As a shell runs it."""
    command = [sys.executable, "-m", "trainvitals.command", "diagnose", run_id, "--server-url", url, *more]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("what", ["gone.spool", "gone.run.zst", "a/b"])
def test_what_is_not_there_is_said(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", what]) == 1
    assert f"there is no file {what}" in capsys.readouterr().err


def test_that_nothing_can_be_judged_is_no_clean_bill_of_health(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.csv"
    file.write_text("step,my_loss\n" + "".join(f"{step},nan\n" for step in range(50)))

    assert main(["diagnose", str(file)]) == 1
    assert "only my_loss" in capsys.readouterr().err


def table(folder: Path, *names: str) -> str:
    """What another tracker recorded: metrics that end in NaN."""
    rows = [",".join(["step", *names])]
    rows += [",".join([str(step), *(["0.5" if step < 40 else "nan"] * len(names))]) for step in range(50)]
    (folder / "run.csv").write_text("\n".join(rows))
    return str(folder / "run.csv")


@pytest.mark.parametrize("option", ["--loss", "--validation-loss"])
def test_a_loss_of_another_name_is_judged_where_it_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    file = table(tmp_path, "my_loss")
    assert main(["diagnose", file]) == 1
    assert "--loss NAME" in capsys.readouterr().err

    assert main(["diagnose", option, "my_loss", file]) == (3 if option == "--loss" else 0)
    assert ("non_finite_values" in capsys.readouterr().out) == (option == "--loss")


def test_a_loss_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", table(tmp_path, "loss"), "--loss", "lost"]) == 1
    assert "no metric 'lost', only loss" in capsys.readouterr().err


def test_the_loss_of_a_run_on_a_server_is_named_by_its_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", "0mwst38c94253q", "--loss", "mine"]) == 1
    assert 'run.define_metric("mine", role=…)' in capsys.readouterr().err


def test_a_spool_is_judged_by_what_its_script_said_of_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tv.init(mode="offline", directory=tmp_path, project="tests") as run:
        run.define_metric("objective", role="loss")
        for value in LOSSES["sick"]:
            run.log({"objective": value})
    (spool,) = tmp_path.rglob("*.spool")

    assert main(["diagnose", str(spool)]) == 3
    assert "non_finite_values" in capsys.readouterr().out


def test_what_is_no_recorded_run_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "odd.run.zst"
    file.write_bytes(b"not compressed at all")

    assert main(["diagnose", str(file)]) == 1
    assert "cannot be read" in capsys.readouterr().err
