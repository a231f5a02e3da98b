"""How the outputs of a layer are distributed."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

STATS: Final = ("activation_mean", "activation_std", "activation_max", "zero_fraction", "activation_nonfinite")
COLUMNS: Final = 5  # mean, variance, absolute maximum, non-zero values, non-finite values


def reduce_rows(values: Tensor) -> Tensor:
    """[rows, values] of activations to float32 [rows, 5], on the device, without waiting for it.

    The variance is the population's. NaN and infinities reach mean, variance and maximum.
    """
    rows = values if values.dtype == torch.float32 else values.float()
    mean = rows.mean(dim=1)
    scratch = rows - mean.unsqueeze(1)
    variance = torch.linalg.vector_norm(scratch, dim=1).square() / rows.shape[1]
    # not var_mean, count_nonzero and the norm of infinite order: on a CPU those are 15 times slower
    largest = torch.maximum(rows.amax(dim=1), -rows.amin(dim=1))
    nonzero = torch.ne(rows, 0, out=scratch).sum(dim=1)
    return torch.stack((mean, variance, largest, nonzero, _nonfinite(rows, mean, scratch)), dim=1)


def _nonfinite(rows: Tensor, mean: Tensor, scratch: Tensor) -> Tensor:
    if rows.device.type == "cpu" and bool(torch.isfinite(mean).all()):
        return torch.zeros_like(mean)  # for NaN and infinity reach the mean; looking is free on a CPU alone
    return torch.sub(rows, rows, out=scratch).ne_(0).sum(dim=1)  # x - x is NaN, hence not 0, where x is not finite


def of_layers(rows: Tensor, *, owners: Tensor, sizes: Tensor, layers: int) -> Tensor:
    """Reduced calls [calls, 5] to [5 stats, layers] (order of STATS); calls of the same layer count as one.

    ``owners``: the layer of each call; ``sizes``: its number of values. Layers that were not called are NaN.
    """
    wide = rows.double()
    mean, variance, largest, nonzero, nonfinite = wide.unbind(1)
    totals = torch.zeros(4, layers, dtype=torch.float64)
    totals.index_add_(1, owners, torch.stack((sizes, sizes * mean, nonzero, nonfinite)))
    count = totals[0]
    means = totals[1] / count
    spread = torch.zeros(layers, dtype=torch.float64)
    spread.index_add_(0, owners, sizes * (variance + (mean - means[owners]).square()))
    maxima = torch.full((layers,), -1.0, dtype=torch.float64).scatter_reduce_(0, owners, largest, "amax")
    called = count > 0
    stats = torch.stack((means, (spread / count).sqrt(), maxima, 1 - totals[2] / count, totals[3]))
    return torch.where(called, stats, torch.nan).float()
