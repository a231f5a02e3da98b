"""Outputs are told as layers gave them out, though they are changed in place afterwards: those that nothing changes are
not copied."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

ROWS = torch.arange(24.0).view(4, 6) / 24
STEPS = 6
LATE = 3  # the step from which an output is changed

Change = Callable[[Tensor], object]
CHANGES: dict[str, Change] = {
    "the output": lambda hidden: hidden.mul_(-3),
    "a part of it": lambda hidden: hidden[:2].add_(1),
    "a view of it": lambda hidden: hidden.view(-1).add_(1),
    "by a function": lambda hidden: functional.relu(hidden, inplace=True),
    "without gradients": lambda hidden: hidden.detach().add_(1),
}
UNCOUNTED: dict[str, Change] = {  # by the version of a tensor
    "by .data": lambda hidden: hidden.data.add_(1),
    "by NumPy": lambda hidden: np.add(hidden.detach().numpy(), 1, out=hidden.detach().numpy()),
}


class Net(nn.Module):
    """Its first layer's output is changed at the steps ``at``."""

    def __init__(self, change: Change, *, at: set[int]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(6, 6), nn.Linear(6, 1)
        self.change, self.at, self.step = change, at, 0
        self.told: list[Tensor] = []

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.first(inputs)
        self.told.append(hidden.detach().clone())
        if self.step in self.at:
            self.change(hidden)
        self.step += 1
        return torch.as_tensor(self.last(hidden))


def trained(offline: Any, model: Net) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    for _ in range(STEPS):
        optimizer.zero_grad()
        model(ROWS).square().mean().backward()
        optimizer.step()
    run.finish()


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize(("at", "left_out"), [(set(range(STEPS)), set()), ({0}, set()), (set(), set())])
def test_every_step_is_told_as_it_was(offline: Any, name: str, at: set[int], left_out: set[int]) -> None:
    model = Net(CHANGES[name], at=at)
    trained(offline, model)
    assert means(offline) == expected(model, left_out=left_out)


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("at", [{LATE}, set(range(LATE, STEPS))], ids=["once", "from then on"])
def test_a_change_that_comes_late_costs_one_step_and_tells_nothing_wrong(offline: Any, name: str, at: set[int]) -> None:
    model = Net(CHANGES[name], at=at)
    trained(offline, model)
    assert means(offline) == expected(model, left_out={LATE})
    assert not math.isnan(offline.stats(LATE)["activation_mean"]["last"])


@pytest.mark.parametrize("name", UNCOUNTED)
def test_changes_that_tensors_do_not_count_are_seen_where_they_are_there_from_the_start(
    offline: Any, name: str
) -> None:
    model = Net(UNCOUNTED[name], at=set(range(STEPS)))
    trained(offline, model)
    assert means(offline) == expected(model, left_out=set())


def test_a_loss_within_the_model_is_a_layer_like_any_other(offline: Any) -> None:
    class WithLoss(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.criterion = nn.Linear(6, 1), nn.MSELoss()

        def forward(self, inputs: Tensor) -> Tensor:
            return torch.as_tensor(self.criterion(self.first(inputs).squeeze(1), inputs.sum(1)))

    model = WithLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        losses.append(model(ROWS))
        losses[-1].backward()
        optimizer.step()
    run.finish()
    told = [offline.stats(step)["activation_mean"]["criterion"] for step in range(STEPS)]
    assert told == [pytest.approx(loss.item(), rel=1e-5) for loss in losses]


def test_outputs_of_frozen_parts_in_inference_mode_are_told(offline: Any) -> None:
    class Frozen(Net):
        def forward(self, inputs: Tensor) -> Tensor:
            with torch.inference_mode():
                hidden = self.first(inputs)
            self.told.append(hidden.clone())
            return torch.as_tensor(self.last(hidden.clone()))

    model = Frozen(CHANGES["the output"], at=set())
    trained(offline, model)
    assert means(offline) == expected(model, left_out=set())


def means(offline: Any) -> list[float | None]:
    """Of the first layer, step by step; None where there is none."""
    found = [offline.stats(step)["activation_mean"]["first"] for step in range(STEPS)]
    return [None if math.isnan(mean) else mean for mean in found]


def expected(model: Net, *, left_out: set[int]) -> list[Any]:
    whole = [pytest.approx(output.mean().item(), rel=1e-5) for output in model.told]
    return [None if step in left_out else mean for step, mean in enumerate(whole)]
