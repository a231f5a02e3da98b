"""How large the gradients of a layer are, as the optimizer sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.stats.norms import maxima, norms, norms_of_layers

STATS: Final = ("grad_norm", "grad_max")


def reduce(gradients: Sequence[Tensor]) -> Tensor:
    """Gradients to float32 [2, gradients] on the device: Euclidean norms, absolute maxima."""
    dense = [_dense(gradient) for gradient in gradients]
    return torch.stack((norms(dense), maxima(dense)))


def _dense(gradient: Tensor) -> Tensor:
    if not gradient.is_sparse:
        return gradient
    values = gradient.coalesce().values()
    return values if values.numel() else values.new_zeros(1)


def of_layers(reduced: Tensor, *, owners: Tensor, layers: int) -> Tensor:
    """[2, gradients] to [2 stats, layers] (order of STATS); NaN where a layer has no gradient."""
    largest = torch.full((layers,), -1.0, dtype=torch.float32).scatter_reduce_(0, owners, reduced[1], "amax")
    largest = torch.where(largest == -1, torch.nan, largest)
    return torch.stack((norms_of_layers(reduced[0], owners=owners, layers=layers), largest))
