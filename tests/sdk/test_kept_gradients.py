"""Whether gradients are cleared between two steps, however and whenever a loop does it."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any

import pytest
import torch
from torch import nn

from tests.sdk.small_models import SpitefulLayer, mlp
from trainvitals.collector.hooks import MAX_ERRORS

STEPS = 5


Loop = Callable[[nn.Module, torch.optim.Optimizer], None]


def backward(model: nn.Module, *, rows: int = 5) -> None:
    model(torch.randn(rows, 4)).square().mean().backward()


def cleared_first(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    backward(model)
    optimizer.step()


def cleared_before_backward(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    loss = model(torch.randn(5, 4)).square().mean()
    model.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()


def cleared_last(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    backward(model)
    optimizer.step()
    optimizer.zero_grad()


def accumulated(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for _ in range(3):
        backward(model)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)


def looked_at_before_they_are_cleared(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    inputs = torch.randn(2, 4, requires_grad=True)
    model(inputs).sum().backward()  # which input counts?
    cleared_first(model, optimizer)


def never_cleared(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    backward(model)
    optimizer.step()


def accumulated_and_never_cleared(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for _ in range(3):
        backward(model)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def cleared_for_another(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1).zero_grad()
    never_cleared(model, optimizer)


def kept(offline: Any, loop: Loop, model: nn.Module | None = None) -> list[float]:
    model = mlp() if model is None else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    for _ in range(STEPS):
        loop(model, optimizer)
    run.finish()
    return [value for _, value in offline.points("facts/gradients_kept")]


@pytest.mark.parametrize(
    "loop", [cleared_first, cleared_before_backward, cleared_last, accumulated, looked_at_before_they_are_cleared]
)
def test_gradients_that_are_cleared_somewhere_between_two_steps_are_not_kept(offline: Any, loop: Loop) -> None:
    assert kept(offline, loop) == [0.0] * (STEPS - 1)  # the first step shows where to look


@pytest.mark.parametrize("loop", [never_cleared, accumulated_and_never_cleared, cleared_for_another])
def test_gradients_that_nothing_clears_are_kept(offline: Any, loop: Loop) -> None:
    assert kept(offline, loop) == [1.0] * (STEPS - 1)


def test_gradients_that_are_put_in_the_place_of_old_ones_are_no_sums(offline: Any) -> None:
    def replaced(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        parameters = list(model.parameters())
        found = torch.autograd.grad(model(torch.randn(5, 4)).square().mean(), parameters)
        for parameter, gradient in zip(parameters, found, strict=True):
            parameter.grad = gradient
        optimizer.step()

    assert kept(offline, replaced) == []


def test_steps_that_a_scaler_skips_are_not_judged_by_what_came_before(offline: Any) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)

    def scaled(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        for factor in (float("inf"), 1.0):  # skipped, and taken
            scaler.scale(model(torch.randn(5, 4)).square().mean() * factor).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()

    assert kept(offline, scaled) == [0.0] * (STEPS - 1)


def test_nothing_is_told_of_games(offline: Any) -> None:
    model, other = mlp(), mlp()
    run = offline.init()
    optimizers = [torch.optim.SGD(one.parameters(), lr=0.01) for one in (model, other)]
    run.watch([model, other], optimizers, every=1)
    for _ in range(STEPS):
        for one, optimizer in zip((model, other), optimizers, strict=True):
            never_cleared(one, optimizer)
    run.finish()
    assert offline.points("facts/gradients_kept") == []


def with_closure(model: nn.Module, optimizer: torch.optim.Optimizer, *, clears: bool) -> None:
    def closure() -> float:
        loss = model(torch.randn(5, 4)).square().mean()
        if clears:
            optimizer.zero_grad()
        loss.backward()
        return loss.item()

    optimizer.step(closure)


@pytest.mark.parametrize("clears", [True, False])
def test_gradients_that_a_closure_makes_within_the_step_are_looked_at_too(offline: Any, clears: bool) -> None:
    found = kept(offline, lambda model, optimizer: with_closure(model, optimizer, clears=clears))
    assert found == [0.0 if clears else 1.0] * (STEPS - 1)


def test_a_pass_before_a_closure_that_clears_keeps_nothing(offline: Any) -> None:
    def logged_first(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        backward(model)
        with_closure(model, optimizer, clears=True)

    assert kept(offline, logged_first) == [0.0] * (STEPS - 1)


@pytest.mark.parametrize("units", [1, 2, 6])
@pytest.mark.parametrize("inputs", [1, 8])
def test_gradients_that_are_written_over_are_no_sums(offline: Any, units: int, inputs: int) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, inputs), nn.Tanh(), nn.Linear(inputs, units))

    def written_over(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        parameters = list(model.parameters())
        found = torch.autograd.grad(model(torch.randn(5, 4)).square().mean(), parameters)
        for parameter, gradient in zip(parameters, found, strict=True):
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            parameter.grad.copy_(gradient)
        optimizer.step()

    assert kept(offline, written_over, model) == [0.0] * (STEPS - 1)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # PyTorch's own, watched or not
def test_backward_is_compiled_as_ever(offline: Any) -> None:
    def compiled(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        loss = model(torch.randn(5, 4)).square().mean()
        with torch._dynamo.compiled_autograd._enable(torch.compile(backend="eager", fullgraph=True)):
            loss.backward()
        optimizer.step()

    assert kept(offline, compiled) == []


def test_workers_are_sent_parameters_while_a_pass_is_looked_at(offline: Any) -> None:
    def sent(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for parameter in model.parameters():
                pickle.loads(ForkingPickler.dumps(parameter))
        cleared_first(model, optimizer)

    assert kept(offline, sent) == [0.0] * (STEPS - 1)


def test_no_hook_stays_after_watching_was_given_up(offline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    model = nn.Sequential(mlp(), SpitefulLayer(1, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    for _ in range(MAX_ERRORS + 1):
        never_cleared(model, optimizer)
    assert "watching stopped" in capsys.readouterr().err
    assert not any(parameter._backward_hooks for parameter in model.parameters())
    run.finish()


def test_no_hook_stays(offline: Any) -> None:
    model = mlp()
    kept(offline, never_cleared, model)
    assert not any(parameter._backward_hooks for parameter in model.parameters())
