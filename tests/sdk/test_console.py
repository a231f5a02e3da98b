"""What the terminal says of findings and of a run's end."""

from __future__ import annotations

import msgspec
import pytest

from trainvitals.console import Console
from trainvitals.wire.messages import Finding, RunEnded

URL = "http://here/runs/r"
FOUND = Finding(
    finding_id="f", run_id="r", rule="loss_spike", severity="warning", state="open", first_step=5, last_step=9,
    summary="it jumped", opened_at=1.0, updated_at=1.0,
)  # fmt: skip
GRAVER = msgspec.structs.replace(FOUND, severity="critical")
OVER = msgspec.structs.replace(GRAVER, state="resolved")


def said(capsys: pytest.CaptureFixture[str], *findings: Finding) -> list[str]:
    console = Console()
    for finding in findings:
        console.finding(finding, url=URL)
    return [line.split(": ")[1].partition(" since")[0] for line in capsys.readouterr().err.splitlines()]


def test_a_finding_is_told_when_it_opens_grows_graver_resolves_and_opens_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = said(capsys, FOUND, FOUND, GRAVER, OVER, OVER, GRAVER)
    assert told == ["warning", "now critical", "resolved", "critical"]


def test_the_end_of_what_was_never_told_of_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, OVER) == []


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (RunEnded(health=100, rules=40, in_the_dark=3), "100 of 100, nothing found: "),
        (
            RunEnded(health=100, rules=40, in_the_dark=31),
            ": ended, nothing found, but 31 of 40 rules had too little to go by: ",
        ),
        (
            RunEnded(health=100, rules=40, in_the_dark=3, has_loss=False),
            ": ended, nothing found, but no metric is known",
        ),
        (RunEnded(health=80, rules=40, in_the_dark=31, findings=[FOUND]), "80 of 100, 1 warning: "),
    ],
)
def test_nothing_found_is_said_with_what_could_not_be_looked_for(
    capsys: pytest.CaptureFixture[str], ending: RunEnded, words: str
) -> None:
    Console().ending(ending, status="finished", url=URL)
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_a_run_that_failed_is_not_said_to_be_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    Console("net").ending(RunEnded(health=100, rules=40), status="failed", url=URL)
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"net: failed, nothing found: {URL}")
