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

    def shares(self, offline: Any, *, given: Any, logged: Any, slow: Slow) -> tuple[float, float]:
        started = time.perf_counter()
        model = Taking(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run = offline.init()
        run.watch(model, optimizer, every=32, dense=1)
        for _ in range(self.STEPS):
            run.log({"metric": logged})
            model(given).sum().backward()
            optimizer.step()
        whole = time.perf_counter() - started
        run.finish()
        return slow.waited / whole, offline.points("overhead_fraction")[-1][1]

    def test_what_log_takes_is_counted(self, offline: Any) -> None:
        slow = Slow()
        true, told = self.shares(offline, given=torch.ones(1), logged=slow, slow=slow)
        assert true <= told <= 1

    def test_what_hooks_take_at_steps_that_are_not_sampled_is_counted(self, offline: Any) -> None:
        slow = Slow()
        true, told = self.shares(offline, given=slow, logged=1.0, slow=slow)
        assert 0.7 * true <= told <= 1.3  # one step in sixteen stands for all
