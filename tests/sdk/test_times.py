"""Where a step's time goes, by a second clock: the training's own, around waits that it makes itself."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

STEPS = 12
BATCH = 6
WAITS = {"data": 0.010, "forward": 0.020, "backward": 0.030, "optimizer": 0.005}  # seconds, of each step
PHASES = tuple(WAITS)
IN_WATCHING = 0.020  # seconds that a look at an output takes, and log() in every step
ROUNDING = 1e-5  # of sums of float32


class Clock:
    """What was waited for in each phase, and in watching, since the clock was set."""

    def __init__(self) -> None:
        self.set()

    def set(self) -> None:
        self.waited: dict[str, float] = defaultdict(float)
        self.started = time.perf_counter()

    def wait(self, what: str, seconds: float) -> None:
        started = time.perf_counter()
        time.sleep(seconds)
        self.waited[what] += time.perf_counter() - started

    def stop(self) -> None:
        self.whole = time.perf_counter() - self.started


class Dear(Tensor):
    """An output at which it takes long to look."""

    clock: Clock

    def detach(self) -> Tensor:
        self.clock.wait("watching", IN_WATCHING)
        return super().detach().as_subclass(Tensor)


class Layer(nn.Linear):
    def __init__(self, clock: Clock) -> None:
        super().__init__(4, 1)
        self.clock = clock

    def forward(self, input: Tensor) -> Tensor:
        self.clock.wait("forward", WAITS["forward"])
        output = super().forward(input)
        output.register_hook(lambda _: self.clock.wait("backward", WAITS["backward"]))
        dear = output.as_subclass(Dear)
        dear.clock = self.clock
        return dear


class Optimizer(torch.optim.Optimizer):
    def __init__(self, model: nn.Module, clock: Clock) -> None:
        super().__init__(model.parameters(), {"lr": 0.1})
        self.clock = clock

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        self.clock.wait("optimizer", WAITS["optimizer"])
        for parameter in self.param_groups[0]["params"]:
            parameter.sub_(parameter.grad, alpha=0.1)


class DearNumber:
    """A metric that takes long to log."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def __float__(self) -> float:
        self.clock.wait("watching", IN_WATCHING)
        return 1.0


@dataclass
class Timed:
    """A training by its own clock, and what is told of every so many steps."""

    clock: Clock
    every: int
    offline: Any

    def told(self, metric: str) -> list[float]:
        return [value for _, value in self.offline.points(metric)]

    def seconds(self, phase: str) -> float:
        """Of a phase, or "step"."""
        return self.every * sum(self.told(f"seconds/{phase}"))


@pytest.fixture(params=[1, 6], ids="every={}".format)
def timed(request: pytest.FixtureRequest, offline: Any) -> Timed:
    clock, every = Clock(), request.param
    model = nn.Sequential(Layer(clock))
    optimizer = Optimizer(model, clock)
    run = offline.init()
    run.watch(model, optimizer, every=every, dense=1)
    for step in range(STEPS + 1):
        clock.wait("data", WAITS["data"])
        model(torch.ones(BATCH, 4)).sum().backward()
        optimizer.step()
        run.log({"metric": DearNumber(clock)})
        if step == 0:
            clock.set()  # times are told from the first snapshot on
    clock.stop()
    run.finish()
    return Timed(clock, every, offline)


@pytest.mark.parametrize("phase", PHASES)
def test_no_phase_is_shorter_than_what_is_waited_for_in_it(timed: Timed, phase: str) -> None:
    assert timed.clock.waited[phase] >= STEPS * WAITS[phase]
    assert timed.seconds(phase) >= timed.clock.waited[phase] * (1 - ROUNDING)


@pytest.mark.parametrize("phase", PHASES)
def test_no_phase_is_longer_by_more_than_what_was_not_waited_for(timed: Timed, phase: str) -> None:
    rest = timed.clock.whole - sum(timed.clock.waited.values())  # small, unless the machine has much else to do
    assert timed.seconds(phase) <= timed.clock.waited[phase] + rest + ROUNDING


def test_watching_s_own_time_is_left_out(timed: Timed) -> None:
    own = timed.clock.waited["watching"]
    assert own >= IN_WATCHING * STEPS * (1 + 1 / timed.every)
    assert sum(map(timed.seconds, PHASES)) <= timed.clock.whole - own + ROUNDING


def test_a_step_lasts_from_the_optimizer_s_last_to_its_next_without_watching_s_own_time(timed: Timed) -> None:
    clock = timed.clock
    assert timed.seconds("step") >= sum(clock.waited[phase] for phase in PHASES) * (1 - ROUNDING)
    assert timed.seconds("step") <= clock.whole - clock.waited["watching"] + ROUNDING


def test_examples_per_second_are_those_of_the_training_s_own_time(timed: Timed) -> None:
    clock = timed.clock
    seconds = sum(BATCH * timed.every / rate for rate in timed.told("examples_per_second"))
    assert seconds >= sum(clock.waited[phase] for phase in PHASES) * (1 - ROUNDING)
    assert seconds <= clock.whole - clock.waited["watching"] + ROUNDING


@pytest.mark.parametrize(("pauses", "least", "most"), [((), 0.0, 0.005), ((10,), 0.0, 0.005), (range(40), 0.02, 0.04)])
def test_a_pause_now_and_then_is_no_waiting_for_data(offline: Any, pauses: Any, least: float, most: float) -> None:
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    run = offline.init()
    run.watch(model, optimizer, every=40, dense=0)
    for step in range(41):
        model(torch.ones(BATCH, 4)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        if step in pauses:
            time.sleep(0.4 if len(pauses) == 1 else 0.02)
    run.finish()
    (_, waited), (_, usual) = (offline.points(name)[-1] for name in ("seconds/data", "facts/usual_wait"))
    assert least <= usual <= most
    assert (waited > 0.009) == bool(pauses)
