"""How the values of a layer's gradients are distributed. Of gradients with more than 16,384 values a few stand for
all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.parcel import at_device_of
from trainvitals.collector.stats.norms import means_of_layers, owned

STATS: Final = ("grad_mean", "grad_zero_fraction", "grad_nonfinite")
NONFINITE: Final = 2  # the row of shares that are not finite among what is reduced


def reduce_rows(rows: Tensor) -> Tensor:
    """[gradients, values] to [3, gradients]: means, shares of zeros, shares of values that are not finite."""
    scratch = torch.empty_like(rows)  # for comparisons, which are slow on a CPU where they give booleans
    zeros = torch.eq(rows, 0, out=scratch).mean(dim=1)
    return torch.stack((rows.mean(dim=1), zeros, torch.sub(rows, rows, out=scratch).ne_(0).mean(dim=1)))


def add_unseen(reduced: Tensor, maxima: Tensor, *, places: Tensor, sizes: Sequence[int]) -> None:
    """Where few values stand for all, count one that is not finite where the absolute maximum of all of them, [places],
    is not. ``places``: of the columns of what was reduced; ``sizes``: how many values each gradient has."""
    one = at_device_of(reduced, torch.tensor([1 / size for size in sizes], dtype=reduced.dtype))
    least = torch.where(maxima.isfinite(), 0, one)
    reduced[NONFINITE].index_copy_(0, places, torch.maximum(reduced[NONFINITE].index_select(0, places), least))


def reduce_sparse(gradient: Tensor) -> Tensor:
    """[3] of a sparse gradient: what it does not hold is zero."""
    values, size = gradient.coalesce().values(), gradient.numel()
    held = values.numel() / size
    if not values.numel():
        return values.new_tensor([0.0, 1.0, 0.0])
    mean, zeros, nonfinite = reduce_rows(values.reshape(1, -1)).squeeze(1).unbind()
    return torch.stack((mean * held, 1 - held + zeros * held, nonfinite * held))


def of_layers(reduced: Tensor, *, owners: Tensor, sizes: Tensor, layers: int) -> Tensor:
    """[3, gradients] to [3 stats, layers] (order of STATS): mean in units of the loss by those of the
    weight, share, count; NaN where there is no gradient. How a gradient's elements are distributed, as an instrument of
    its own: Schneider et al., "Cockpit" (arXiv:2102.06604)."""
    mean, zeros, _ = means_of_layers(reduced, owners=owners, weights=sizes, layers=layers).unbind(0)
    counts = torch.zeros(layers, dtype=torch.float64).index_add_(0, owners, reduced[2].double() * sizes)
    counts = torch.where(owned(owners, layers=layers), counts.round(), torch.nan)
    return torch.stack((mean, zeros, counts)).float()
