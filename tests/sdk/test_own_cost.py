"""What watching costs: at steps that are not sampled as good as nothing, and all of it told."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch
from torch import Tensor, nn

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def hooks_of(module: nn.Module) -> int:
    """Its own, and those of its parameters."""
    own = sum(len(getattr(module, name)) for name in HOOKS)
    of_tensors = (getattr(one, "_backward_hooks", None) for one in module.parameters(recurse=False))
    return own + sum(len(hooks) for hooks in of_tensors if hooks)


class Counting(nn.Module):
    """Counts the hooks below itself in the middle of each of its forward passes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 1)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.seen: list[int] = []

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.first(inputs)
        self.seen.append(sum(hooks_of(module) for module in self.modules() if module is not self))
        hidden, _ = self.attention(hidden, hidden, hidden)
        return torch.as_tensor(self.last(hidden))


@pytest.mark.parametrize("attention", [False, True])
def test_no_layer_has_hooks_at_a_step_that_is_not_sampled(offline: Any, attention: bool) -> None:
    model = Counting()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer, every=1000, dense=2, attention=attention)
    for _ in range(5):
        model(torch.ones(2, 3, 4)).sum().backward()
        optimizer.step()
    run.finish()
    assert [hooks > 0 for hooks in model.seen] == [True, True, False, False, False]
    assert [step for step, _ in offline.points("lr")] == [0, 1]


class Slow:
    """A batch whose size is long in coming, or a number that is: watching asks for the one, log() for the other."""

    SECONDS = 0.005

    def __init__(self) -> None:
        self.waited = 0.0

    def wait(self) -> None:
        started = time.perf_counter()
        time.sleep(self.SECONDS)
        self.waited += time.perf_counter() - started

    def __float__(self) -> float:
        self.wait()
        return 1.0

    @property
    def shape(self) -> tuple[int, int]:
        self.wait()
        return 2, 4


class Taking(nn.Linear):
    """Takes whatever it is given for a batch of ones."""

    def forward(self, input: Any) -> Tensor:
        return super().forward(torch.ones(2, 4))


class TestOverhead:
    """Of a training in which one thing is slow, by its own clock: what it waited for that is told to be our cost."""

    STEPS = 97  # the last is sampled

    def train(self, offline: Any, *, given: Any, logged: Any, model: nn.Module | None = None) -> tuple[float, float]:
        """The seconds that it took, and the share that is told in the end."""
        started = time.perf_counter()
        model = model or Taking(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run = offline.init()
        run.watch(model, optimizer, every=32, dense=1)
        for _ in range(self.STEPS):
            run.log({"metric": logged})
            model(given).sum().backward()
            optimizer.step()
        whole = time.perf_counter() - started
        run.finish()
        return whole, offline.points("overhead_fraction")[-1][1]

    def test_what_log_takes_is_counted(self, offline: Any) -> None:
        slow = Slow()
        whole, told = self.train(offline, given=torch.ones(1), logged=slow)
        assert slow.waited / whole <= told <= 1

    def test_what_hooks_take_at_steps_that_are_not_sampled_is_counted(self, offline: Any) -> None:
        whole, told = self.train(offline, given=Slow(), logged=1.0)
        timed = self.STEPS - 2  # all but the first, before any is known, and the last, which is not over
        assert told >= timed * Slow.SECONDS / whole

    def test_what_a_snapshot_takes_is_counted(self, offline: Any) -> None:
        waited: list[float] = []

        class SlowToLookAt(Tensor):
            def detach(self) -> Tensor:
                started = time.perf_counter()
                time.sleep(0.05)
                waited.append(time.perf_counter() - started)
                return self.as_subclass(Tensor).detach()

        class Slowly(Taking):
            def forward(self, input: Any) -> Tensor:
                return super().forward(input).as_subclass(SlowToLookAt)

        whole, told = self.train(offline, given=torch.ones(1), logged=1.0, model=Slowly(4, 1))
        assert len(waited) == 4, "of each snapshot"
        assert sum(waited[:-1]) / whole <= told <= 1

    def test_hooks_of_all_modules_see_nothing_of_how_it_is_learnt(self, offline: Any) -> None:
        seen: list[nn.Module] = []
        handle = nn.modules.module.register_module_forward_hook(lambda module, *_: seen.append(module))
        model = nn.Linear(4, 1)
        run = offline.init()
        run.watch(model, torch.optim.SGD(model.parameters(), lr=0.1))
        model(torch.ones(1, 4))
        run.finish()
        handle.remove()
        assert seen == [model]
