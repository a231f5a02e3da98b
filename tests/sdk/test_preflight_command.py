"""`trainvitals preflight`: a file says what is to be trained, the exit status whether it may."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.real_server import RealServer
from trainvitals.command import main

TRAINING = """
import torch
from torch import nn

def preflight():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 3))
    batch = torch.randn(24, 6), torch.arange(24) % 3
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    return {"model": model, "loss_fn": nn.CrossEntropyLoss(), "batch": batch, "optimizer": optimizer}

def sick():
    given = preflight()
    return {**given, "model": nn.Sequential(given["model"], nn.Softmax(-1))}

def odd():
    return {**preflight(), "modle": None}

def nothing():
    return None

def breaks():
    raise KeyError("data")

if __name__ == "__main__":
    raise SystemExit("training began")
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "training.py"
    path.write_text(TRAINING)
    return path


def test_prints_the_checklist_and_ends_with_0_where_nothing_failed(
    script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preflight", str(script), "--seconds", "30"]) == 0

    said = capsys.readouterr()
    assert said.out.startswith("preflight of Sequential: ")
    assert "check the inside" in said.out
    assert said.err == ""


def test_the_checklist_is_kept_with_a_run_where_a_project_is_named(
    script: Path, server: RealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINVITALS_SERVER_URL", server.url)
    monkeypatch.setenv("TRAINVITALS_DIR", str(tmp_path / "spool"))
    assert main(["preflight", str(script), "--seconds", "10", "--project", "digits"]) == 0

    run = server.only_run
    summary = run.summary
    assert (summary.project, summary.name, summary.status) == ("digits", f"preflight of {script}", "finished")
    assert {check.stage for check in run.preflight} == {"start simple", "confirm the loss", "check the inside"}


def test_ends_with_1_where_something_failed(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preflight", f"{script}:sick"]) == 1
    assert "✗ softmax before loss" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("missing.py", "there is no file missing.py"),
        ("{script}:absent", "no function absent()"),
        ("{script}:nothing", "returned a NoneType"),
        ("{script}:breaks", "raised KeyError"),
        ("{script}:odd", "modle"),
    ],
)
def test_ends_with_2_where_the_file_cannot_be_made_use_of(
    script: Path, target: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preflight", target.format(script=script)]) == 2
    assert words in capsys.readouterr().err


def test_a_file_that_is_no_python_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("no code")
    (tmp_path / "broken.py").write_text("def preflight(:")

    assert [main(["preflight", str(tmp_path / name)]) for name in ("notes.txt", "broken.py")] == [2, 2]
    assert "SyntaxError" in capsys.readouterr().err


@pytest.mark.slow
def test_works_from_a_shell_beside_modules_of_its_own(script: Path) -> None:
    (script.parent / "settings.py").write_text("SECONDS = 30")
    script.write_text("import settings\n" + TRAINING)
    command = [sys.executable, "-m", "trainvitals.command", "preflight", script]

    done = subprocess.run(command, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr
    assert "preflight of Sequential" in done.stdout
