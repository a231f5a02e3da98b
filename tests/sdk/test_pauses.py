"""A training that comes no step further is told of, and one that goes on is not."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from trainvitals import pauses
from trainvitals.pauses import Pauses

STEPS = 25


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def stepping(clock: Clock, *, steps: int, seconds: float = 1.0) -> Pauses:
    """After so many steps, one of which took eight times as long."""
    found = Pauses(clock)
    found.look(None)
    for step in range(steps):
        found.look(step)
        clock.now += seconds * (8 if step == 3 else 1)
    return found


def test_a_step_that_lasts_is_told_of_now_and_then_with_the_longest_before() -> None:
    clock = Clock()
    found, begun, told = stepping(clock, steps=30), clock.now - 1.0, []
    for clock.now in begun + np.array([40.0, 59.5, 60.0, 89.5, 90.0]):
        if facts := found.look(29):
            told.append((clock.now - begun, facts["facts/idle_seconds"], facts["facts/longest_pause_seconds"]))

    assert told == [(60.0, 60.0, 8.0), (90.0, 90.0, 8.0)]


def test_nothing_is_told_where_no_optimizer_drives_the_run() -> None:
    clock = Clock()
    found, told = stepping(clock, steps=30, seconds=500.0), []
    for _ in range(20):
        clock.now += 50.0
        told.append(found.look(None))

    assert not any(told)


def test_nothing_is_told_while_steps_take_as_long_as_they_took_before() -> None:
    clock = Clock()
    found, told = stepping(clock, steps=30, seconds=500.0), []
    for step in range(30, 40):
        for _ in range(50):
            told.append(found.look(step))
            clock.now += 10.0

    assert not any(told)


def test_nothing_is_told_while_the_model_is_called() -> None:
    clock = Clock()
    found, told = stepping(clock, steps=30), []
    for calls in range(1, 100):
        clock.now += 50.0
        told.append(found.look(29, calls=calls))
    clock.now += 70.0

    assert not any(told)
    assert found.look(29, calls=99)["facts/idle_seconds"] == 70.0


def test_nothing_is_told_of_the_first_steps_of_which_nobody_knows_how_long_they_take() -> None:
    clock = Clock()
    found = stepping(clock, steps=5)
    clock.now += 500.0

    assert found.look(4) == {}


def test_a_training_whose_steps_are_short_is_known_soon() -> None:
    clock = Clock()
    found = Pauses(clock=clock)
    for step in (3, 40, 60):  # the recorder looks twice a second
        clock.now += 0.5
        found.look(step)
    clock.now += 500.0

    assert found.look(60)["facts/idle_seconds"] == 500.0


def test_a_jump_to_where_a_run_is_resumed_is_no_step() -> None:
    clock = Clock()
    found = Pauses(clock=clock)
    for step in (0, 5000):
        clock.now += 0.5
        found.look(step)
    clock.now += 500.0  # the first step is compiled

    assert found.look(5000) == {}


def test_a_run_tells_of_its_pause_at_its_newest_step(offline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "LEAST_SECONDS", 0.2)
    monkeypatch.setattr(pauses, "EVERY_SECONDS", 0.1)
    monkeypatch.setattr(pauses, "FEWEST_MOVES", 0)
    monkeypatch.setattr(pauses, "FEWEST_STEPS", 0)  # the recorder looks twice a second
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, told = offline.init(), threading.Event()
    looked = Pauses.look

    def look(self: Pauses, step: int | None, *, calls: int) -> dict[str, float]:
        if facts := looked(self, step, calls=calls):
            told.set()
        return facts

    monkeypatch.setattr(Pauses, "look", look)
    run.watch(model, optimizer)
    for _ in range(STEPS):
        model(torch.ones(5, 3)).sum().backward()
        optimizer.step()
        run.log({"loss": 1.0})
    assert told.wait(30)
    run.finish()

    assert {step for step, _ in offline.points("facts/idle_seconds")} == {STEPS - 1}
    assert {step for _, step in offline.points("facts/idle_step")} == {STEPS - 1}
