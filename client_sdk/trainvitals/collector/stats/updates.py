"""How far the optimizer moves the weights of a layer, relative to their size."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.stats.norms import norms_of_layers

STATS: Final = ("weight_norm", "update_ratio")


def of_layers(before: Tensor, moved: Tensor, *, owners: Tensor, layers: int) -> Tensor:
    """Norms of parameters before the step and of their change to [2 stats, layers] (order of STATS).

    The ratio is ‖Δw‖ / ‖w before‖ over all parameters of the layer; NaN where the weights were all zero. About 1e-3 is
    usual in healthy training (Karpathy, CS231n notes, "Ratio of weights:updates").
    """
    weight_norm = norms_of_layers(before, owners=owners, layers=layers)
    ratio = norms_of_layers(moved, owners=owners, layers=layers) / weight_norm
    return torch.stack((weight_norm, torch.where(weight_norm == 0, torch.nan, ratio)))
