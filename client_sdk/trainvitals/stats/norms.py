"""Norms of many tensors in few kernels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def norms(tensors: Sequence[Tensor], *, order: float = 2.0) -> Tensor:
    """Float32 [tensors] on the first one's device. NaN and infinities reach the result."""
    each = list(torch._foreach_norm(list(tensors), order, torch.float32))
    device = each[0].device
    if any(norm.device != device for norm in each):
        each = [norm.to(device, non_blocking=True) for norm in each]
    return torch.stack(each)


def norms_of_layers(parts: Tensor, *, owners: Tensor, layers: int) -> Tensor:
    """Norms of parameters [parameters] to float32 norms of layers [layers]; NaN for layers without any."""
    squares = torch.zeros(layers, dtype=torch.float64).index_add_(0, owners, parts.double().square())
    owned = torch.zeros(layers, dtype=torch.bool)
    owned[owners] = True
    return torch.where(owned, squares.sqrt(), torch.nan).float()
