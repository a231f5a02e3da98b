"""Weight decay as a part of the loss, and what schedules change beside the learning rate."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from tests.sdk.small_models import mlp

STEPS = 3


def trained(offline: Any, model: nn.Module, optimizer: torch.optim.Optimizer) -> list[float]:
    """Squared norms of the model's matrices before each step."""
    run = offline.init()
    run.watch(model, optimizer, every=1)
    squares = []
    for _ in range(STEPS):
        squares.append([float(one.detach().square().sum()) for one in model.parameters()])
        optimizer.zero_grad()
        model(torch.ones(5, 4)).square().mean().backward()
        optimizer.step()
    run.finish()
    return squares


COUPLED, DECOUPLED = "weight_decay_penalty", "decoupled_decay_penalty"


@pytest.mark.parametrize(
    ("kind", "name", "other"),
    [
        (torch.optim.SGD, COUPLED, DECOUPLED),
        (torch.optim.Adam, COUPLED, DECOUPLED),
        (torch.optim.RMSprop, COUPLED, DECOUPLED),
        (torch.optim.AdamW, DECOUPLED, COUPLED),
        (torch.optim.Adafactor, DECOUPLED, COUPLED),
        (functools.partial(torch.optim.NAdam, decoupled_weight_decay=True), DECOUPLED, COUPLED),
    ],
)
def test_the_penalty_is_half_lambda_times_the_squared_weights_before_the_step(
    offline: Any, kind: Callable[..., torch.optim.Optimizer], name: str, other: str
) -> None:
    model = mlp()
    groups = [
        {"params": [model[0].weight, model[2].weight], "weight_decay": 0.1},
        {"params": [model[0].bias, model[2].bias], "weight_decay": 0.0},
    ]
    squares = trained(offline, model, kind(groups, lr=0.01))
    expected = [0.05 * (first + second) for first, _, second, _ in squares]
    assert offline.points(other) == []
    assert offline.points(name) == [(step, pytest.approx(value, rel=1e-4)) for step, value in enumerate(expected)]


def test_it_is_the_gradient_that_coupled_decay_adds() -> None:
    weight = nn.Parameter(torch.randn(7, dtype=torch.float64))
    decayed, plain = (nn.Parameter(weight.detach().clone()) for _ in range(2))
    for one in (decayed, plain):
        one.grad = torch.zeros_like(one)
    (0.5 * 0.3 * plain.square().sum()).backward()
    torch.optim.SGD([decayed], lr=0.1, weight_decay=0.3).step()
    torch.optim.SGD([plain], lr=0.1).step()
    assert torch.allclose(decayed, plain)


def test_what_has_no_gradient_is_not_decayed(offline: Any) -> None:
    model = mlp()
    model[0].requires_grad_(False)
    squares = trained(offline, model, torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=2.0))
    assert offline.points("weight_decay_penalty")[0][1] == pytest.approx(sum(squares[0][2:]), rel=1e-4)


def test_of_large_tensors_it_is_close(offline: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 300, bias=False), nn.Linear(300, 400, bias=False))
    squares = trained(offline, model, torch.optim.SGD(model.parameters(), lr=0.0, weight_decay=2.0))
    assert offline.points("weight_decay_penalty")[0][1] == pytest.approx(sum(squares[0]), rel=0.02)


def test_without_decay_there_is_no_penalty(offline: Any) -> None:
    model = mlp()
    trained(offline, model, torch.optim.SGD(model.parameters(), lr=0.01))
    assert offline.points("weight_decay_penalty") == []


def test_a_decay_that_lies_in_a_tensor_is_not_read(offline: Any) -> None:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    optimizer.param_groups[0]["weight_decay"] = torch.tensor(0.1)
    trained(offline, model, optimizer)
    assert offline.points("weight_decay_penalty") == []
    assert offline.points("grad_norm") != []


class TestSchedules:
    def test_what_a_schedule_changes_is_told_from_then_on(self, offline: Any) -> None:
        model = mlp()
        optimizer = torch.optim.AdamW(
            [{"params": model[0].parameters()}, {"params": model[2].parameters(), "betas": (0.8, 0.99)}],
            lr=0.01,
            weight_decay=0.5,
        )
        run = offline.init()
        run.watch(model, optimizer, every=1)
        for step in range(4):
            optimizer.param_groups[1]["betas"] = (0.8 + 0.05 * max(0, step - 1), 0.99)
            model(torch.ones(5, 4)).square().mean().backward()
            optimizer.step()
            optimizer.param_groups[0]["weight_decay"] = 0.5 if step < 2 else 0.25
        run.finish()
        assert offline.points("beta1/1") == [(2, pytest.approx(0.85)), (3, pytest.approx(0.9))]
        assert offline.points("beta1") == []
        assert [value for _, value in offline.points("weight_decay")] == [0.25] * len(offline.points("weight_decay"))
        assert offline.points("weight_decay")
        assert offline.points("weight_decay/1") == []

    def test_one_cycle_moves_momentum_against_the_learning_rate(self, offline: Any) -> None:
        model = mlp()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=8)
        run = offline.init()
        run.watch(model, optimizer, every=1)
        expected = []
        for _ in range(6):
            expected.append(optimizer.param_groups[0]["momentum"])
            model(torch.ones(5, 4)).square().mean().backward()
            optimizer.step()
            run.log({"loss": 1.0})
            schedule.step()
        run.finish()
        told = dict(offline.points("momentum"))
        assert {
            step: value for step, value in told.items() if not math.isclose(value, expected[step], rel_tol=1e-6)
        } == {}
        assert len(told) >= 4
