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
    if len(rows) == 1:
        return _reduce_one(rows[0]).unsqueeze(0)
    variance, mean = torch.var_mean(rows, dim=1, correction=0)
    return torch.stack(
        (
            mean,
            variance,
            torch.linalg.vector_norm(rows, torch.inf, dim=1),
            torch.count_nonzero(rows, dim=1).float(),
            torch.count_nonzero(rows - rows, dim=1).float(),  # x - x is NaN, hence not zero, where x is not finite
        ),
        dim=1,
    )


def _reduce_one(row: Tensor) -> Tensor:
    # on a CPU the reductions over a whole tensor are vectorised and those over a dimension are not: 7 times faster
    mean = row.mean()
    low, high = torch.aminmax(row)
    return torch.stack(
        (
            mean,
            torch.linalg.vector_norm(row - mean).square() / row.numel(),
            torch.maximum(low.abs(), high.abs()),
            torch.count_nonzero(row).float(),
            torch.count_nonzero(row - row).float(),
        )
    )


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
