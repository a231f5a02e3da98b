"""Norms, maxima and means of parameters put together to those of layers; each in the unit of what is given."""

from __future__ import annotations

import torch
from torch import Tensor


def norms_of_layers(parts: Tensor, *, owners: Tensor, layers: int) -> Tensor:
    """Norms of parameters [parameters] to norms of layers, float64 [layers]; NaN for layers without any."""
    squares = torch.zeros(layers, dtype=torch.float64).index_add_(0, owners, parts.double().square())
    return torch.where(owned(owners, layers=layers), squares.sqrt(), torch.nan)


def maxima_of_layers(parts: Tensor, *, owners: Tensor, layers: int) -> Tensor:
    """Maxima, never negative, of parameters [parameters] to float64 [layers]; NaN for layers without any."""
    found = torch.full((layers,), -1.0, dtype=torch.float64).scatter_reduce_(0, owners, parts.double(), "amax")
    return torch.where(owned(owners, layers=layers), found, torch.nan)


def means_of_layers(parts: Tensor, *, owners: Tensor, weights: Tensor, layers: int) -> Tensor:
    """Means over parameters [..., parameters] to float64 [..., layers], each by its weight; NaN where all are 0."""
    zeros = torch.zeros(*parts.shape[:-1], layers, dtype=torch.float64)
    total = torch.zeros(layers, dtype=torch.float64).index_add_(0, owners, weights)
    return zeros.index_add_(-1, owners, parts.double() * weights) / total


def owned(owners: Tensor, *, layers: int) -> Tensor:
    """Which layers own anything, bool [layers]."""
    return torch.zeros(layers, dtype=torch.bool).index_fill_(0, owners, True)
