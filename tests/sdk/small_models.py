"""A small model, and what plain PyTorch says of its gradients."""

from __future__ import annotations

import torch
from torch import nn

CLOSE = 1e-4


def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def norm_of(module: nn.Module) -> float:
    return float(torch.cat([one.grad.flatten() for one in module.parameters() if one.grad is not None]).norm())
