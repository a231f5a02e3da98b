"""How fast the running statistics of a batch norm move, on which it will rely in evaluation."""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn

from trainvitals.collector.stats.norms import means_of_layers

STATS: Final = ("running_drift",)


def drifts(module: nn.Module) -> bool:
    """Whether a layer keeps running statistics."""
    return isinstance(module, nn.modules.batchnorm._NormBase) and isinstance(module.running_mean, Tensor)


def reduce(mean: Tensor, earlier: Tensor, variance: Tensor) -> Tensor:
    """Running means now and at the snapshot before, and running variances, all [channels]: the root mean square of the
    means' way in running standard deviations, a scalar on the device."""
    return (mean - earlier).float().div_(variance.float().clamp(min=1e-12).sqrt_()).square_().mean().sqrt_()


def of_layers(reduced: Tensor, *, owners: Tensor, sizes: Tensor, layers: int) -> Tensor:
    """[1, norms] to [1, layers]; NaN for layers without running statistics.

    In running standard deviations of each channel, since the last look: without unit. What evaluation normalises by is
    this moving average (Ioffe & Szegedy, "Batch Normalization", arXiv:1502.03167, 3.1), which lags behind where
    activations still move.
    """
    return means_of_layers(reduced, owners=owners, weights=sizes, layers=layers).float()
