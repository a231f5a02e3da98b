"""A script is told of findings on its own thread, saves its state, and ends if it wishes."""

from __future__ import annotations

import math
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

import trainvitals as tv
from tests.real_server import PATIENCE_SECONDS, RealServer
from trainvitals.console import Console
from trainvitals.reactions import Reactions, Wishes
from trainvitals.settings import InvalidSetting
from trainvitals.wire.messages import Finding


def begin(server: RealServer, folder: Path, **wishes: Any) -> tv.Run:
    return tv.init(project="tests", name="acting", server_url=server.url, directory=folder / "spool", **wishes)


def log_nan_until(condition: Callable[[], object], run: tv.Run) -> None:
    """What a loop does whose loss is no number any more."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "nothing was heard of the finding"
        run.log({"loss": math.nan})
        time.sleep(0.01)


def test_a_function_is_called_once_with_each_finding_on_the_training_s_thread(
    server: RealServer, tmp_path: Path
) -> None:
    heard: list[tuple[str, int]] = []
    run = begin(server, tmp_path, on_finding=lambda found: heard.append((found.rule, threading.get_ident())))
    log_nan_until(lambda: heard, run)
    for _ in range(20):
        run.log({"loss": math.nan})
    run.finish()
    assert heard == [("non_finite_values", threading.get_ident())]


def test_steps_are_sampled_closely_when_something_was_found(server: RealServer, tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    heard: list[str] = []
    run = begin(server, tmp_path, on_finding=lambda found: heard.append(found.rule))
    run.watch(model, optimizer, every=10**9, dense=1)

    def step() -> None:
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()

    deadline = time.monotonic() + PATIENCE_SECONDS
    while not heard:
        assert time.monotonic() < deadline
        step()
        run.log({"loss": math.nan})
    found_at = run.step
    for _ in range(40):
        step()
    run.finish()
    sampled = [at for at, _ in server.points(run.run_id, "lr") if at]
    assert len(sampled) == 20
    assert sampled == list(range(sampled[0], sampled[0] + 20))
    assert abs(sampled[0] - found_at) < 10


def test_what_is_found_when_the_run_ends_is_heard_of_too(server: RealServer, tmp_path: Path) -> None:
    heard: list[str] = []
    saved: list[str] = []
    run = begin(
        server, tmp_path, on_finding=lambda found: heard.append(found.rule),
        checkpoint=lambda found: saved.append(found.rule),
    )  # fmt: skip
    run.log({"loss": math.nan})
    run.finish()
    assert heard == saved == ["non_finite_values"]


def test_raise_ends_the_loop_with_the_finding(server: RealServer, tmp_path: Path) -> None:
    with (
        pytest.raises(tv.FindingRaised, match="critical since step 0") as raised,
        begin(server, tmp_path, on_finding="raise") as run,
    ):
        log_nan_until(lambda: False, run)
    assert raised.value.finding.rule == "non_finite_values"
    assert server.only_run.summary.status == "failed"
    assert (server.only_run.error or "").startswith("FindingRaised: critical since step 0")


def test_a_script_that_catches_what_was_raised_goes_on(server: RealServer, tmp_path: Path) -> None:
    run = begin(server, tmp_path, on_finding="raise")
    with pytest.raises(tv.FindingRaised):
        log_nan_until(lambda: False, run)
    for _ in range(20):
        run.log({"loss": 1.0})
    run.finish()
    assert server.only_run.summary.status == "finished"


def test_a_watched_training_that_logs_nothing_is_stopped_all_the_same(server: RealServer, tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = begin(server, tmp_path, on_finding="stop")
    run.watch(model, optimizer, every=1)

    def train() -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            model(torch.full((4, 3), math.nan)).sum().backward()
            optimizer.step()

    with pytest.raises(tv.TrainingStopped):
        train()
    run.finish()
    assert not optimizer._optimizer_step_post_hooks
    assert server.only_run.summary.status == "stopped"


STOPPED = """
import math, os, time, trainvitals as tv
def save(finding): print("saved", finding.rule, flush=True)
run = tv.init(project="tests", on_finding="stop", checkpoint=save, checkpoint_on=["critical"])
try:
    for _ in range(6000):
        run.log({"loss": math.nan})
        time.sleep(0.01)
    print("trained to the end")
finally:
    print("tidied up")
"""


def test_stop_saves_the_state_tidies_up_and_ends_the_script_with_status_3(server: RealServer, tmp_path: Path) -> None:
    environment = {**os.environ, "TRAINVITALS_SERVER_URL": server.url, "TRAINVITALS_DIR": str(tmp_path / "spool")}
    done = subprocess.run(
        [sys.executable, "-c", STOPPED], env=environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert (done.returncode, done.stdout.split("\n")) == (3, ["saved non_finite_values", "tidied up", ""])
    assert "Traceback" not in done.stderr
    run = server.only_run
    assert run.summary.status == "stopped"
    assert (run.error or "").startswith("stopped: critical since step 0: ")


def test_a_slip_in_the_script_s_own_function_is_printed_and_ends_nothing(
    server: RealServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    called: list[Finding] = []

    def careless(finding: Finding) -> None:
        called.append(finding)
        raise KeyError("no such thing")

    run = begin(server, tmp_path, on_finding=careless)
    log_nan_until(lambda: called, run)
    run.finish()
    assert "on_finding() failed, and the training goes on:" in (said := capsys.readouterr().err)
    assert "KeyError: 'no such thing'" in said
    assert server.only_run.summary.status == "finished"


def test_a_function_may_log_and_may_end_the_training_itself(server: RealServer, tmp_path: Path) -> None:
    run = begin(server, tmp_path, on_finding=lambda found: (run.log({"found": 1.0}), stop(found)))

    def stop(finding: Finding) -> None:
        raise tv.TrainingStopped(finding)

    with pytest.raises(tv.TrainingStopped):
        log_nan_until(lambda: False, run)
    run.finish()
    assert server.only_run.summary.status == "stopped"
    assert [value for _, value in server.points(run.run_id, "found")] == [1.0]


def test_a_run_that_a_function_finishes_within_a_step_harms_no_step(server: RealServer, tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = begin(server, tmp_path, on_finding=lambda found: run.finish())
    run.watch(model, optimizer, every=1)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while run.active:
        assert time.monotonic() < deadline
        model(torch.full((4, 3), math.nan)).sum().backward()
        optimizer.step()
    optimizer.step()


def test_what_ends_a_training_travels_between_processes() -> None:
    for error in (tv.FindingRaised(FOUND), tv.TrainingStopped(FOUND)):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.finding, str(again)) == (type(error), FOUND, str(error))


def test_says_that_nothing_is_found_where_no_server_judges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tv.init(mode="offline", directory=tmp_path, on_finding="stop").finish()
    assert "mode offline: nothing is found while the training runs" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        {"on_finding": "halt"},
        {"checkpoint_on": ["critical"]},
        {"checkpoint_on": ["grave"], "checkpoint": print},
        {"checkpoint": "model.pt"},
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_at_once(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidSetting):
        tv.init(mode="offline", directory=tmp_path, **wrong)


FOUND = Finding(
    finding_id="f1", run_id="r", rule="loss_spike", severity="warning", first_step=3, last_step=5, summary="a jump"
)


def changed(**changes: Any) -> Finding:
    return msgspec.structs.replace(FOUND, **changes)


def acted_upon(*arrivals: list[Finding]) -> list[str]:
    """The severities with which a function is called, when these arrive one after the other."""
    called: list[str] = []
    reactions = Reactions(Wishes(on_finding=lambda found: called.append(found.severity)), say=Console().say)
    for arrival in arrivals:
        reactions.put(arrival)
        reactions.act()
    return called


def test_a_finding_is_acted_upon_once_for_each_time_that_it_opens() -> None:
    resolved = changed(state="resolved")
    assert acted_upon([FOUND], [FOUND], [resolved], [FOUND]) == ["warning", "warning"]


def test_a_finding_that_grows_graver_is_acted_upon_again_and_a_milder_one_is_not() -> None:
    assert acted_upon([FOUND], [changed(severity="critical")], [FOUND]) == ["warning", "critical"]


def test_what_was_resolved_before_it_was_heard_of_leads_to_nothing() -> None:
    assert acted_upon([FOUND, changed(state="resolved")]) == []


def test_only_what_is_critical_ends_a_training() -> None:
    reactions = Reactions(Wishes(on_finding="raise"), say=Console().say)
    reactions.put([FOUND, changed(finding_id="f2", severity="info")])
    reactions.act()
    reactions.put([changed(severity="critical")])
    with pytest.raises(tv.FindingRaised):
        reactions.act()


def test_when_the_training_is_over_nothing_can_end_it_any_more() -> None:
    told: list[str] = []

    def stop(finding: Finding) -> None:
        told.append(finding.rule)
        raise tv.TrainingStopped(finding)

    for wish in (stop, "stop", "raise"):
        reactions = Reactions(Wishes(on_finding=wish), say=Console().say)  # type: ignore[arg-type]  # words and a function
        reactions.put([changed(severity="critical")])
        reactions.act(is_over=True)
    assert told == [FOUND.rule]


def test_a_checkpoint_is_saved_for_the_severities_that_were_chosen() -> None:
    saved: list[str] = []
    wishes = Wishes(checkpoint=lambda found: saved.append(found.severity), checkpoint_on=frozenset({"critical"}))
    reactions = Reactions(wishes, say=Console().say)
    reactions.put([FOUND, changed(finding_id="f2", severity="critical")])
    reactions.act()
    assert saved == ["critical"]
