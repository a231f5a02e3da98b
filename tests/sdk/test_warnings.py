"""What PyTorch warns of points to the same line of the script, watched or not."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import l1_loss

from tests.sdk.conftest import Offline
from tests.sdk.small_models import mlp

Loss = Callable[[Tensor, Tensor], Tensor]
WAYS: dict[str, Loss] = {
    "a function": lambda said, wanted: functional.mse_loss(said, wanted),
    "one by a name of its own": lambda said, wanted: l1_loss(said, wanted),
    "a module": nn.HuberLoss(),
    "another module": nn.SmoothL1Loss(),
}


def warned(loss_of: Loss, model: nn.Module, optimizer: torch.optim.Optimizer) -> list[tuple[str, int, str]]:
    """Of targets that have another shape than the output: where, and what."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        optimizer.zero_grad()
        loss_of(model(torch.randn(5, 4)), torch.randn(5)).backward()
        optimizer.step()
    return [(warning.filename, warning.lineno, str(warning.message)) for warning in said]


@pytest.mark.parametrize("way", WAYS)
def test_a_loss_s_warning_shows_the_line_that_it_shows_unwatched(offline: Offline, way: str) -> None:
    model: Any = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    bare = warned(WAYS[way], model, optimizer)
    with offline.init() as run:
        run.watch(model, optimizer, every=1)
        watched = warned(WAYS[way], model, optimizer)

    assert "target size" in bare[0][2]
    assert watched == bare
