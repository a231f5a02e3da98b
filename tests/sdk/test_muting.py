"""A script has rules be silent for its run: nothing is found by them, and the run says so."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import trainvitals as tv
from tests.real_server import RealServer


def muted_run(server: RealServer, folder: Path, mute: Any) -> str:
    """Of a training whose loss is no number."""
    with tv.init(project="tests", server_url=server.url, directory=folder / "spool", mute=mute) as run:
        run.log({"loss": math.nan})
    return run.run_id


def test_a_muted_rule_finds_nothing_in_this_run_and_the_run_says_so(server: RealServer, tmp_path: Path) -> None:
    loud, quiet = (muted_run(server, tmp_path, mute) for mute in (None, ["non-finite-values"]))

    assert [finding.rule for finding in server.store.findings(loud)] == ["non_finite_values"]
    assert server.store.findings(quiet) == []
    assert [server.store.run(run_id).muted for run_id in (loud, quiet)] == [[], ["non_finite_values"]]


@pytest.mark.parametrize(
    ("mute", "said"),
    [("non_finite_value", "did you mean 'non_finite_values'?"), ("odd", "`trainvitals rules --project PROJECT` lists")],
)
def test_a_rule_that_there_is_not_is_told_of(
    server: RealServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], mute: str, said: str
) -> None:
    muted_run(server, tmp_path, ["loss_spike", mute])

    (line,) = [line for line in capsys.readouterr().err.splitlines() if "mute" in line]
    assert f"there is no rule '{mute}' on the server: {said}" in line


@pytest.mark.parametrize(
    ("mute", "kept"),
    [("loss_spike", ["loss_spike"]), (("a", "a", " b "), ["a", "b"]), ([""], []), (7, []), (["x" * 600], None)],
)
def test_whatever_is_said_the_run_begins(server: RealServer, tmp_path: Path, mute: Any, kept: list[str] | None) -> None:
    run = server.store.run(muted_run(server, tmp_path, mute))

    assert run.muted == kept if kept is not None else len(run.muted[0]) == 512
