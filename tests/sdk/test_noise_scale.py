"""The gradient noise scale: of gradients as backward gives them, or nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from tests.sdk.small_models import mlp

Change = Callable[[nn.Module], object]


def by_hand(model: nn.Module) -> None:
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad.data.clamp_(-0.01, 0.01)


CLIPPINGS: dict[str, Change] = {
    "not at all": lambda model: None,
    "by norm": lambda model: clip_grad_norm_(model.parameters(), 0.01),
    "by value": lambda model: clip_grad_value_(model.parameters(), 0.01),
    "by hand": by_hand,
    "in part": lambda model: clip_grad_norm_(list(model.parameters())[:1], 0.01),
    "in another norm": lambda model: clip_grad_norm_(model.parameters(), 0.01, norm_type=1),
}


def square_norm(model: nn.Module) -> float:
    held = [parameter.grad.to_dense() for parameter in model.parameters() if parameter.grad is not None]
    return sum(float(gradient.square().sum()) for gradient in held)


def expected_scale(squares: list[float], *, examples: int) -> float:
    """Of square norms after each pass (McCandlish et al., 2018, appendix A.1)."""
    passes = len(squares)
    small, whole = squares[0] * passes**2, squares[-1]
    trace, signal = examples * (small - whole) / (1 - 1 / passes), (passes * whole - small) / (passes - 1)
    return trace / signal


def batches(count: int, *, examples: int = 8) -> list[Tensor]:
    torch.manual_seed(7)  # of which the scale is positive, and there is one
    return [1 + torch.randn(examples, 4) for _ in range(count)]


@pytest.mark.parametrize("how", CLIPPINGS)
@pytest.mark.parametrize("passes", [2, 4])
def test_it_is_of_gradients_before_they_are_clipped_however_they_are(offline: Any, passes: int, how: str) -> None:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    for _ in range(3):
        squares = []
        optimizer.zero_grad()
        for batch in batches(passes):
            model(batch).square().mean().backward()
            squares.append(square_norm(model))
        CLIPPINGS[how](model)
        optimizer.step()
    run.finish()
    scales = [scale for _, scale in offline.points("gradient_noise_scale")]
    assert scales == pytest.approx([expected_scale(squares, examples=8)] * 3, rel=1e-2)


def test_sparse_gradients_count(offline: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(6, 4, sparse=True), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    squares = []
    for words in torch.randint(6, (3, 8, 2)):
        model(words).square().mean().backward()
        squares.append(square_norm(model))
    optimizer.step()
    run.finish()
    assert [scale for _, scale in offline.points("gradient_noise_scale")] == pytest.approx(
        [expected_scale(squares, examples=8)], rel=1e-2
    )


def clipped_in_between(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for batch in batches(2):
        model(batch).square().mean().backward()
        clip_grad_norm_(model.parameters(), 0.01)


def cleared_in_between(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for batch in batches(2):  # as sharpness-aware minimisation does
        optimizer.zero_grad()
        model(batch).square().mean().backward()


def cleared_before_the_last(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for number, batch in enumerate(batches(3)):
        if number == 2:
            optimizer.zero_grad()
        model(batch).square().mean().backward()


def cleared_after_the_forward_pass(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for batch in batches(2):
        loss = model(batch).mean()
        optimizer.zero_grad(set_to_none=False)
        loss.backward()


def two_outputs_of_one_loss(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    one, other = batches(2)
    loss = (model(one) - model(other)).square().mean()
    optimizer.zero_grad()
    loss.backward()


def two_losses_of_one_output(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for batch in batches(2):
        output = model(batch)
        output.mean().backward(retain_graph=True)
        output.square().mean().backward()


def passes_of_different_size(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for batch in [*batches(1), *batches(1, examples=2)]:
        model(batch).square().mean().backward()


@pytest.mark.parametrize(
    "accumulate",
    [
        clipped_in_between,
        cleared_in_between,
        cleared_before_the_last,
        cleared_after_the_forward_pass,
        two_outputs_of_one_loss,
        two_losses_of_one_output,
        passes_of_different_size,
    ],
)
def test_it_is_left_out_where_it_would_be_of_something_else(
    offline: Any, accumulate: Callable[[nn.Module, torch.optim.Optimizer], None]
) -> None:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    for _ in range(4):
        optimizer.zero_grad()
        accumulate(model, optimizer)
        optimizer.step()
    run.finish()
    assert len(offline.points("grad_norm")) == 4
    assert not offline.points("gradient_noise_scale")


def test_a_training_whose_passes_vary_is_told_from_as_many_as_there_were_before(offline: Any) -> None:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    for passes in (2, 4, 1, 2):
        optimizer.zero_grad()
        for batch in batches(passes):
            model(batch).square().mean().backward()
        optimizer.step()
    run.finish()
    told = offline.points("gradient_noise_scale")
    assert [step for step, _ in told] == [0, 1]
    assert all(math.isfinite(scale) for _, scale in told)
