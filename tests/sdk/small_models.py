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


class Changed(nn.Module):
    """What it is given, otherwise laid out or with gaps: a view."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.change = change

    def forward(self, inputs: Tensor) -> Tensor:
        return self.change(inputs)


class Spiteful(Tensor):
    """Cannot be looked at."""

    def detach(self) -> Tensor:
        raise ValueError("no")


class SpitefulLayer(nn.Linear):
    """Watching it is an error each time."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).as_subclass(Spiteful)
