"""`trainvitals rules`: what a project says of its rules, read and set in a terminal; `diagnose` by other rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import trainvitals as tv
from tests.real_server import RealServer, serving
from trainvitals.command import main


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


def rules(server: RealServer, *words: str, project: str = "p") -> int:
    return main(["rules", "--project", project, "--server-url", server.url, *words])


def test_lists_every_rule_with_its_options(server: RealServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert rules(server, project="fresh") == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Rules of project fresh, all as they are by default:"
    assert [" ".join(line.split()) for line in lines if "overfitting" in line] == [
        "overfitting patience=3 risen=0.1 share_of_start=0.1 by_half=0.5"
    ]


def test_sets_mutes_and_options_and_marks_them(server: RealServer, capsys: pytest.CaptureFixture[str]) -> None:
    said = ["--mute", "overfitting", "--set", "loss-spike.sigmas=12", "--set", "loss_spike.past=32"]
    assert rules(server, *said, "--by", "Ada", "--comment", "a baseline", project="team/a") == 0

    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0].startswith("Rules of project team/a, set by Ada on 20")
    assert "muted overfitting patience=3 risen=0.1 share_of_start=0.1 by_half=0.5" in lines
    assert len(lines) == 4  # and not all rules, among which what was set would be lost
    assert lines[3].startswith("The other ")
    (spike,) = [line for line in lines if "loss_spike" in line]
    assert spike.startswith("set loss_spike past=32 (default 64) sigmas=12.0 (default 8.0) outliers=2.5")
    (kept,) = server.store.rules("team/a")
    assert (kept.muted, kept.options, kept.by, kept.comment) == (
        ["overfitting"],
        {"loss_spike": {"sigmas": 12.0, "past": 32}},
        "Ada",
        "a baseline",
    )


def test_what_is_said_later_adds_to_what_was_said_and_takes_away(server: RealServer) -> None:
    rules(server, "--mute", "overfitting", "--mute", "loss_spike", "--set", "same_batch.samples=4", project="later")
    rules(server, "--unmute", "overfitting", "--unset", "same_batch.samples", project="later")

    assert [(one.muted, one.options) for one in server.store.rules("later", most=9)] == [
        (["loss_spike"], {}),
        (["loss_spike", "overfitting"], {"same_batch": {"samples": 4}}),
    ]


def test_an_older_version_is_valid_again(server: RealServer, capsys: pytest.CaptureFixture[str]) -> None:
    for said in (["--mute", "overfitting"], ["--unmute", "overfitting"], ["--restore", "1"], ["--restore", "0"]):
        assert rules(server, *said, "--by", "Ada", project="back") == 0
    capsys.readouterr()
    rules(server, "--history", project="back")

    lines = [line.split(" on ")[0] for line in capsys.readouterr().out.splitlines()]
    none, muted = "  all as they are by default", "  muted overfitting"
    assert lines == [
        *("version 4, by Ada", none, "version 3, by Ada", muted),
        *("version 2, by Ada", none, "version 1, by Ada", muted),
    ]


def test_programs_are_told_in_json(server: RealServer, capsys: pytest.CaptureFixture[str]) -> None:
    rules(server, "--format", "json", project="fresh")

    assert json.loads(capsys.readouterr().out)["settings"]["version"] == 0


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        (["--mute", "overfiting"], 1, "no rule 'overfiting'"),
        (["--set", "loss_spike.sigmas=many"], 1, "its default is 8.0"),
        (["--set", "loss_spike.sigmas"], 2, "rule.option=value"),
        (["--set", "sigmas=3"], 2, "rule.option"),
        (["--unset", "loss_spike.sigmas"], 2, "is not set"),
        (["--restore", "9"], 2, "no version 9"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_changes(
    server: RealServer, capsys: pytest.CaptureFixture[str], said: list[str], status: int, words: str
) -> None:
    assert rules(server, *said, project="refused") == status
    assert words in capsys.readouterr().err
    assert server.store.rules("refused") == []


def test_a_server_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "--server-url", "http://127.0.0.1:9"]) == 1
    assert "http://127.0.0.1:9 does not answer" in capsys.readouterr().err


def spool_of(folder: Path, *losses: float, mute: list[str] | None = None) -> str:
    with tv.init(mode="offline", directory=folder, project="tests", name="n", mute=mute) as run:
        for loss in losses:
            run.log({"loss": loss})
    (spool,) = folder.rglob("*.spool")
    return str(spool)


NAN = (1.0, float("nan"), float("nan"))
FLAT = tuple(2.0 + 0.01 * (step % 3) for step in range(400))


def test_a_spool_is_judged_without_a_muted_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", spool_of(tmp_path, *NAN), "--mute", "non-finite-values"]) == 0
    assert capsys.readouterr().out.startswith("Nothing found in 3 steps of ")


def test_a_spool_is_judged_without_what_its_script_muted(tmp_path: Path) -> None:
    assert main(["diagnose", spool_of(tmp_path, *NAN, mute=["non_finite_values"])]) == 0


def test_a_spool_is_judged_by_other_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spool = spool_of(tmp_path, *FLAT)

    assert main(["diagnose", spool]) == 3
    assert "loss_not_decreasing" in capsys.readouterr().out
    assert main(["diagnose", spool, "--option", "loss_not_decreasing.after_steps=1000"]) == 0


def test_a_run_on_a_server_is_told_without_a_muted_rule_and_judged_there(
    server: RealServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tv.init(project="tests", server_url=server.url, directory=tmp_path) as run:
        run.log({"loss": float("nan")})
    asked = ["diagnose", run.run_id, "--server-url", server.url]

    assert [main(asked), main([*asked, "--mute", "non_finite_values"])] == [3, 0]
    assert main([*asked, "--option", "loss_spike.sigmas=9"]) == 1
    assert "judged there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (["--mute", "nothing"], "no rule 'nothing'"),
        (["--option", "loss_spike.sigma=1"], "it has past"),
        (["--option", "loss_spike.sigmas"], "rule.option=value"),
    ],
)
def test_a_diagnosis_by_rules_that_are_not_there_is_not_understood(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], said: list[str], words: str
) -> None:
    assert main(["diagnose", spool_of(tmp_path, *NAN), *said]) == 2
    assert words in capsys.readouterr().err
