"""A training that comes no step further is told of, and one that goes on is not."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from torch import nn

from trainvitals import pauses
from trainvitals.pauses import Pauses


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_step_that_lasts_is_told_of_now_and_then_with_the_longest_before() -> None:
    clock = Clock()
    found = Pauses(clock)
    told = []
    for clock.now, step in [(0.0, 0), (8.0, 1), (9.0, 2), (40.0, 2), (69.5, 2), (70.0, 2), (99.0, 2), (99.5, 2)]:
        if facts := found.look(step):
            told.append((clock.now, facts["facts/idle_seconds"], facts["facts/longest_pause_seconds"]))

    assert told == [(69.5, 60.5, 8.0), (99.5, 90.5, 8.0)]


def test_nothing_is_told_before_the_first_step_nor_while_steps_come() -> None:
    clock = Clock()
    found = Pauses(clock)
    told = []
    for clock.now in range(0, 1000, 50):
        told.append(found.look(None))
    for step, clock.now in enumerate(range(1000, 9000, 500)):
        told.append(found.look(step))

    assert not any(told)


def test_a_run_tells_of_its_pause_at_its_newest_step(offline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "LEAST_SECONDS", 0.2)
    monkeypatch.setattr(pauses, "EVERY_SECONDS", 0.1)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, told = offline.init(), threading.Event()
    looked = Pauses.look

    def look(self: Pauses, step: int | None) -> dict[str, float]:
        if facts := looked(self, step):
            told.set()
        return facts

    monkeypatch.setattr(Pauses, "look", look)
    run.watch(model, optimizer)
    for _ in range(3):
        model(torch.ones(5, 3)).sum().backward()
        optimizer.step()
        run.log({"loss": 1.0})
    assert told.wait(30)
    run.finish()

    assert {step for step, _ in offline.points("facts/idle_seconds")} == {2}
