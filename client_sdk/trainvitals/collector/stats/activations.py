"""How the outputs of a layer are distributed."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.stats.norms import maxima_of_layers

STATS: Final = ("activation_mean", "activation_std", "activation_max", "zero_fraction", "activation_nonfinite")
LARGEST: Final = 2  # the row of absolute maxima among what is reduced


def reduce_rows(rows: Tensor) -> Tensor:
    """Float32 [calls, values] of activations to [5, calls], on the device, without waiting for it.

    The variance is the population's. NaN and infinities reach mean, variance and maximum.
    """
    values = rows.shape[1]
    mean = rows.mean(dim=1)
    scratch = rows - mean.unsqueeze(1)
    variance = torch.linalg.vector_norm(scratch, dim=1).square() / values
    # not var_mean, count_nonzero and the norm of infinite order: on a CPU those are 15 times slower
    largest = torch.maximum(rows.amax(dim=1), -rows.amin(dim=1))
    zeros = 1 - torch.ne(rows, 0, out=scratch).sum(dim=1) / values
    return torch.stack((mean, variance, largest, zeros, _nonfinite(rows, mean, scratch) / values))


def _nonfinite(rows: Tensor, mean: Tensor, scratch: Tensor) -> Tensor:
    if rows.device.type == "cpu" and math.isfinite(float(mean.sum())):
        return torch.zeros_like(mean)  # for NaN and infinity reach the mean; looking is free on a CPU alone
    return torch.sub(rows, rows, out=scratch).ne_(0).sum(dim=1)  # x - x is NaN, hence not 0, where x is not finite


def extremes(values: Tensor, *, unit_peaks: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The least and the greatest of all values, float32 scalars on the device. ``unit_peaks``: maxima among which the
    greatest is, where they are known."""
    if unit_peaks is not None or values.device.type == "cpu":  # where aminmax is slower than both
        return values.amin().float(), (values if unit_peaks is None else unit_peaks).amax().float()
    least, greatest = torch.aminmax(values)
    return least.float(), greatest.float()


def largest_of(least: list[Tensor], greatest: list[Tensor]) -> Tensor:
    """Absolute maxima, float32 [tensors], by the extremes of each."""
    return torch.maximum(torch.stack(greatest), -torch.stack(least))


def of_layers(reduced: Tensor, *, owners: Tensor, sizes: Tensor, layers: int) -> Tensor:
    """[5, calls] to [5 stats, layers] (order of STATS); calls of the same layer count as one.

    ``owners``: the layer of each call; ``sizes``: its number of values, of which few may have been looked at. Layers
    that were not called are NaN. Mean, standard deviation (the population's) and absolute maximum in units of the
    output, then a share, then a count. Mean and deviation by layer, over the course of a training: Glorot & Bengio,
    "Understanding the difficulty of training deep feedforward neural networks" (AISTATS 2010, section 3).
    """
    mean, variance, peak, zeros, nonfinite = reduced.double().unbind()
    # where one of those that were not counted is not finite, the maximum still tells
    nonfinite = torch.where(peak.isfinite(), 0.0, (sizes * nonfinite).round().clamp(min=1.0))
    totals = torch.zeros(4, layers, dtype=torch.float64)
    totals.index_add_(1, owners, torch.stack((sizes, sizes * mean, sizes * zeros, nonfinite)))
    count = totals[0]
    means = totals[1] / count
    spread = torch.zeros(layers, dtype=torch.float64)
    spread.index_add_(0, owners, sizes * (variance + (mean - means[owners]).square()))
    maxima = maxima_of_layers(peak, owners=owners, layers=layers)
    return torch.stack(
        (means, (spread / count).sqrt(), maxima, totals[2] / count, torch.where(count > 0, totals[3], torch.nan))
    ).float()
