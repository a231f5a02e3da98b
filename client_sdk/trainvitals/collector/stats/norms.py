"""Norms of many tensors in few kernels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def norms(tensors: Sequence[Tensor]) -> Tensor:
    """Euclidean norms, float32 [tensors] on the first one's device. NaN and infinities reach the result."""
    real = _real(tensors)
    narrows = any(tensor.dtype == torch.float64 for tensor in real)
    return _together(torch._foreach_norm(real, 2.0, None if narrows else torch.float32))


def maxima(tensors: Sequence[Tensor]) -> Tensor:
    """Absolute maxima, float32 [tensors] on the first one's device. NaN and infinities reach the result."""
    real = _real(tensors)
    if any(tensor.device.type != "cpu" for tensor in real):
        return _together(torch._foreach_norm(real, torch.inf))
    # on a CPU the norm of infinite order is not vectorised
    return _together(torch._foreach_max(torch._foreach_abs(real)))


def _together(each: Sequence[Tensor]) -> Tensor:
    device = each[0].device
    parts = [part.float() if part.dtype != torch.float32 else part for part in each]
    return torch.stack([part if part.device == device else part.to(device, non_blocking=True) for part in parts])


def _real(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [torch.view_as_real(tensor) if tensor.is_complex() else tensor for tensor in tensors]


def norms_of_layers(parts: Tensor, *, owners: Tensor, layers: int) -> Tensor:
    """Norms of parameters [parameters] to float32 norms of layers [layers]; NaN for layers without any."""
    squares = torch.zeros(layers, dtype=torch.float64).index_add_(0, owners, parts.double().square())
    owned = torch.zeros(layers, dtype=torch.bool)
    owned[owners] = True
    return torch.where(owned, squares.sqrt(), torch.nan).float()
