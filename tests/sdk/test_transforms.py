"""Models that are called under the transforms of torch.func: what is real is told, and nothing breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, func, nn

from tests.sdk.small_models import CLOSE, mlp, norm_of

Loss = Callable[[nn.Module, Tensor], Tensor]


def mapped(model: nn.Module, batch: Tensor) -> Tensor:
    return func.vmap(model)(batch).square().mean()


def mapped_with_other_weights(model: nn.Module, batch: Tensor) -> Tensor:
    def one(row: Tensor) -> Tensor:
        out: Tensor = func.functional_call(model, dict(model.named_parameters()), (row,))
        return out

    return func.vmap(one)(batch).square().mean()


def with_a_slope(model: nn.Module, batch: Tensor) -> Tensor:
    slopes = func.vmap(func.grad(lambda row: model(row).sum()))(batch)
    return slopes.square().mean()


@pytest.mark.parametrize("loss", [mapped, mapped_with_other_weights, with_a_slope])
@pytest.mark.parametrize("rows", [1, 3])
def test_a_model_that_is_transformed_as_a_whole_is_told_by_its_gradients(
    offline: Any, capsys: pytest.CaptureFixture[str], loss: Loss, rows: int
) -> None:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    norms = []
    for _ in range(4):
        optimizer.zero_grad()
        value = loss(model, torch.randn(8, rows, 4))
        value.backward()
        norms.append(norm_of(model))
        optimizer.step()
        run.log({"loss": value})
    run.finish()
    assert [norm for _, norm in offline.points("grad_norm")] == pytest.approx(norms, rel=CLOSE)
    assert not offline.points("facts/input_checksum")
    assert not offline.points("gradient_noise_scale")
    assert "watching met" not in capsys.readouterr().err
