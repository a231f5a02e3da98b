"""How fast the running statistics of a batch norm move, on which it will rely in evaluation."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from trainvitals.collector.stats.norms import means_of_layers

STATS: Final = ("running_drift", "running_variance_drift")
SMALLEST: Final = 1e-12  # variance, by which nothing is divided and of which no logarithm is taken


def drifts(module: nn.Module) -> bool:
    """Whether a layer keeps running statistics."""
    return isinstance(module, nn.modules.batchnorm._NormBase) and isinstance(module.running_mean, Tensor)


def reduce(mean: Tensor, variance: Tensor, *, earlier_mean: Tensor, earlier_variance: Tensor) -> Tensor:
    """Running means and variances now and at the snapshot before, all [channels], to [2, 1] on the device: the root
    mean square of the means' way in running standard deviations, and of ln(variance now / variance before)."""
    now, before = variance.float().clamp(min=SMALLEST), earlier_variance.float().clamp(min=SMALLEST)
    way = (mean - earlier_mean).float().div_(now.sqrt())
    return torch.stack([way, now.div(before).log_()]).square_().mean(dim=1, keepdim=True).sqrt_()


def of_layers(reduced: Tensor, *, owners: Tensor, sizes: Tensor, layers: int) -> Tensor:
    """[2, norms] to [2, layers]; NaN for layers without running statistics.

    Since the last look, of each channel: means in running standard deviations, variances in natural logarithms (0.7 is
    a factor of two, up or down), both without unit. What evaluation normalises by are these moving averages (Ioffe &
    Szegedy, "Batch Normalization", arXiv:1502.03167, 3.1), which lag behind where activations still move.
    """
    return means_of_layers(reduced, owners=owners, weights=sizes, layers=layers).float()
