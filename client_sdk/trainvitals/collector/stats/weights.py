"""What has become of the weights of a layer since the start, and what of a step is too small for them to feel. Of
parameters with more than 16,384 values a few stand for all."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.stats.norms import maxima_of_layers, means_of_layers, norms_of_layers

STATS: Final = ("weight_max", "init_distance", "lost_update_fraction", "unmoved_fraction")


def rms_of(rows: Tensor) -> Tensor:
    """Root mean squares, [parameters, values] to [parameters]."""
    norms: Tensor = torch.linalg.vector_norm(rows, dim=1)
    return norms / math.sqrt(rows.shape[1])


def reduce_rows(first: Tensor, before: Tensor, after: Tensor, gradients: Tensor, *, start: Tensor) -> Tensor:
    """Rows [parameters, values] of the same places – when watching began, before the step, after it, and gradients (NaN
    where there is none) – and ``start``, the root mean squares of the first, to [6, parameters]: absolute maximum, root
    mean squares of the way from the start and of the start, shares of values with a gradient, of values with one that
    the step left as they were, and of values that are where they began."""
    scratch = before - first
    way = rms_of(scratch)
    # comparisons give ones and zeros, not booleans, which take a CPU five times as long
    unmoved = torch.eq(before, first, out=scratch).mean(dim=1)
    pulled = gradients.abs().gt_(0)  # which NaN is not
    lost = torch.eq(before, after, out=scratch).mul_(pulled).mean(dim=1)
    return torch.stack(
        (
            torch.maximum(before.amax(dim=1), -before.amin(dim=1)),
            way,
            start,
            pulled.mean(dim=1),
            lost,
            unmoved,
        )
    )


def of_layers(reduced: Tensor, *, owners: Tensor, sizes: Tensor, layers: int) -> Tensor:
    """[6, parameters] to [4 stats, layers] (order of STATS).

    ``weight_max``: in units of the weight. ``init_distance``: ‖w − w₀‖ / ‖w₀‖, without unit, NaN where w₀ is zero
    (Nagarajan & Kolter, "Generalization in Deep Networks: The Role of Distance from Initialization", arXiv:1901.01672;
    Cockpit has it, too: Schneider et al., arXiv:2102.06604). ``lost_update_fraction``: of the values with a gradient,
    those that did not change, because the step was under half a unit in the last place, or nought (Zamirai et al.,
    "Revisiting BFloat16 Training", arXiv:2010.06192); NaN where no value has a gradient. ``unmoved_fraction``: of all
    values, those that are what they were when watching began, as rows of an embedding are that never come up.
    """
    way, start = (norms_of_layers(part * sizes.sqrt(), owners=owners, layers=layers) for part in reduced[1:3].double())
    counts = torch.zeros(2, layers, dtype=torch.float64).index_add_(1, owners, reduced[3:5].double() * sizes)
    unmoved = means_of_layers(reduced[5], owners=owners, weights=sizes, layers=layers)
    distance = torch.where(start == 0, torch.nan, way / start)
    maxima = maxima_of_layers(reduced[0], owners=owners, layers=layers)
    return torch.stack((maxima, distance, counts[1] / counts[0], unmoved)).float()
