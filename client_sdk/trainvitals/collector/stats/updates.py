"""How far the optimizer moves the weights of a layer. Of those with more than 16,384 values a few stand for all."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.stats.norms import norms_of_layers

STATS: Final = ("weight_norm", "update_ratio", "update_rms")


def reduce_rows(norms: Tensor, moved: Tensor) -> Tensor:
    """Euclidean norms of weights before the step, [parameters], and their change, [parameters, values], to
    [2, parameters]: root mean squares."""
    return torch.stack((norms, torch.linalg.vector_norm(moved, dim=1))).div_(math.sqrt(moved.shape[1]))


def of_layers(reduced: Tensor, *, owners: Tensor, sizes: Tensor, layers: int) -> Tensor:
    """[2, parameters] to [3 stats, layers] (order of STATS); ``sizes``: numbers of values, [parameters].

    The ratio is ‖Δw‖ / ‖w before‖ over all parameters of the layer; NaN where the weights were all zero. About 1e-3 is
    usual in healthy training (Karpathy, CS231n notes, "Ratio of weights:updates"). The norm is that of the weights
    before the step, the RMS that of Δw, both in units of the weight; the ratio is without unit.
    """
    spread = reduced.double() * sizes.sqrt()
    weight_norm = norms_of_layers(spread[0], owners=owners, layers=layers)
    moved = norms_of_layers(spread[1], owners=owners, layers=layers)
    count = torch.zeros(layers, dtype=torch.float64).index_add_(0, owners, sizes)
    ratio = torch.where(weight_norm == 0, torch.nan, moved / weight_norm)
    return torch.stack((weight_norm, ratio, moved / count.sqrt())).float()
