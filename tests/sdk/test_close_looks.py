"""A close look that is asked for at the server is carried out once, by the training, and answered."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import torch

import trainvitals as tv
from tests.real_server import PATIENCE_SECONDS, RealServer
from trainvitals.capturing import Capturing
from trainvitals.client import Answer, Client
from trainvitals.collector.plan import Plan
from trainvitals.wire.capture import Capture


class Training:
    """Watched at every thousandth step."""

    def __init__(self, server: RealServer, folder: Path, *, watched: bool = True) -> None:
        self.server = server
        self.model = torch.nn.Linear(2, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.0)
        self.run = tv.init(project="tests", name="captured", server_url=server.url, directory=folder / "spool")
        if watched:
            self.run.watch(self.model, self.optimizer, every=1000, dense=1)

    def step(self) -> None:
        self.model(torch.ones(1, 2)).sum().backward()
        self.optimizer.step()
        self.run.log({"loss": 1.0})

    def go_on_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "nothing came of it"
            self.step()
            time.sleep(0.005)

    def ask(self) -> None:
        httpx2.post(f"{self.server.url}/api/v1/runs/{self.run.run_id}/capture").raise_for_status()

    @property
    def capture(self) -> Capture | None:
        return self.server.store.capture(self.run.run_id)

    def outcome(self) -> str | None:
        return None if self.capture is None else self.capture.outcome


@pytest.mark.slow
def test_the_next_twenty_steps_are_sampled(server: RealServer, tmp_path: Path) -> None:
    training = Training(server, tmp_path)
    training.go_on_until(lambda: server.runs)
    training.ask()
    training.go_on_until(training.outcome)
    for _ in range(40):
        training.step()
    training.run.finish()
    capture = training.capture
    sampled = [at for at, _ in server.points(training.run.run_id, "lr") if at % 1000]
    assert capture is not None
    assert capture.outcome == "begun"
    assert sampled == list(range(sampled[0], sampled[0] + 20))
    assert capture.step <= sampled[0] <= capture.step + 1


@pytest.mark.slow
def test_one_that_comes_too_soon_is_told_when_it_may_come_again(server: RealServer, tmp_path: Path) -> None:
    training = Training(server, tmp_path)
    training.go_on_until(lambda: server.runs)
    training.run.capture()
    at = training.run.step
    training.ask()
    training.go_on_until(training.outcome)
    training.run.finish()
    capture = training.capture
    assert capture is not None
    assert capture.outcome == "too soon"
    assert at + 400 < capture.step <= at + 510


@pytest.mark.slow
def test_where_nothing_is_watched_that_is_said(server: RealServer, tmp_path: Path) -> None:
    training = Training(server, tmp_path, watched=False)
    training.go_on_until(lambda: server.runs)
    training.ask()
    training.go_on_until(training.outcome)
    training.run.finish()
    assert training.outcome() == "not watched"


class TestHeeding:
    def heed(self, receiver: Any, *numbers: int | None, wanted: bool = True) -> list[int]:
        called: list[int] = []
        client = Client(receiver.url, None)
        capturing = Capturing(client, "r")
        if wanted:
            capturing.capture = lambda: (called.append(1), ("begun", 7))[1]  # type: ignore[func-returns-value,return-value]
        for number in numbers:
            capturing.heed(Answer(outcome="taken", capture=number))
        client.close()
        return called

    def test_a_request_that_comes_again_is_answered_again_and_carried_out_once(self, receiver: Any) -> None:
        assert len(self.heed(receiver, None, 1, 1, 2)) == 2
        assert receiver.paths == ["PUT /api/v1/runs/r/capture"] * 3

    def test_who_is_not_to_carry_it_out_says_nothing(self, receiver: Any) -> None:
        assert self.heed(receiver, 1, wanted=False) == []
        assert receiver.paths == []

    def test_a_server_that_is_away_changes_nothing(self) -> None:
        capturing = Capturing(Client("http://127.0.0.1:9", None), "r")
        called: list[int] = []
        capturing.capture = lambda: (called.append(1), ("begun", 7))[1]  # type: ignore[func-returns-value,return-value]
        capturing.heed(Answer(outcome="taken", capture=1))
        assert called == [1]


def test_several_ranks_begin_at_a_step_that_all_will_have_heard_of() -> None:
    plan = Plan(10)
    first = plan.change(step=100, interval=1, step_seconds=0.1, for_steps=20)
    assert first == plan.turns[-2].first_step == 100 + 4 * 10 + 30
