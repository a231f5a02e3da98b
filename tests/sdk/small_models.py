"""Small models and layers, and what plain PyTorch says of their gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

CLOSE = 1e-4


def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def norm_of(module: nn.Module) -> float:
    return float(torch.cat([one.grad.flatten() for one in module.parameters() if one.grad is not None]).norm())


class Through(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, inputs: Tensor) -> Tensor:
        return self.function(inputs)


class Spiteful(Tensor):
    """Cannot be looked at."""

    def detach(self) -> Tensor:
        raise ValueError("no")


class SpitefulLayer(nn.Linear):
    """Watching it is an error each time."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).as_subclass(Spiteful)
