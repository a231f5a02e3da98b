"""How large the gradients of a layer are, as the optimizer sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.parcel import on_one_device
from trainvitals.collector.stats.activations import extremes, largest_of
from trainvitals.collector.stats.norms import maxima_of_layers, norms_of_layers

STATS: Final = ("grad_norm", "grad_max")
LARGEST: Final = 1  # the row of absolute maxima among what is reduced


def reduce_rows(rows: Tensor) -> Tensor:
    """Gradients side by side, [gradients, values], to [2, gradients]: Euclidean norms, absolute maxima."""
    return torch.stack((torch.linalg.vector_norm(rows, dim=1), torch.maximum(rows.amax(dim=1), -rows.amin(dim=1))))


def reduce_each(gradients: Sequence[Tensor]) -> Tensor:
    """The same of gradients too large to be laid side by side, all of their values looked at where they are."""
    wide = torch.float32 if gradients[0].dtype in (torch.float16, torch.bfloat16) else None
    norms = torch.stack([torch.linalg.vector_norm(one, dtype=wide) for one in gradients])
    least, greatest = zip(*(extremes(one) for one in gradients), strict=True)
    return torch.stack((norms.float(), largest_of(list(least), list(greatest))))


def of_layers(reduced: Tensor, *, owners: Tensor, sizes: Tensor, layers: int) -> Tensor:
    """[2, gradients] to [2 stats, layers] (order of STATS); NaN where a layer has no gradient. Both in units of the
    loss by those of the weight.

    By layer they tell how far gradients fade or grow on their way down (Glorot & Bengio, AISTATS 2010, section 4); by
    the norm of all of them clipping goes (Pascanu et al., "On the difficulty of training recurrent neural networks",
    arXiv:1211.5063).
    """
    norms = norms_of_layers(reduced[0], owners=owners, layers=layers)
    return torch.stack((norms, maxima_of_layers(reduced[1], owners=owners, layers=layers))).float()


def values_of(gradient: Tensor) -> Tensor:
    """The values that are not zero for sure: of a sparse gradient those that it holds, else all."""
    return gradient.coalesce().values() if gradient.is_sparse else gradient


def norm_of_all(gradients: Sequence[Tensor]) -> Tensor:
    """The Euclidean norm of real gradients together, in their units, one float32 on the device; 0 where there is
    none."""
    held = [values_of(gradient) for gradient in gradients]
    half = [one for one in held if one.dtype in (torch.float16, torch.bfloat16)]
    rest = [one for one in held if one.dtype not in (torch.float16, torch.bfloat16)]
    norms = [*torch._foreach_norm(half, 2, dtype=torch.float32)] if half else []
    norms += torch._foreach_norm(rest) if rest else []
    if not norms:
        return torch.zeros(())
    together: Tensor = torch.linalg.vector_norm(torch.stack([norm.float() for norm in on_one_device(norms)]))
    return together
