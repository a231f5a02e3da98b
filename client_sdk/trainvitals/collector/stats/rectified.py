"""How much a rectifier that is called as a function leaves of what a layer gives out."""

from __future__ import annotations

from typing import Final

from torch import Tensor

from trainvitals.collector.stats.norms import means_of_layers

STATS: Final = ("relu_zero_fraction",)


def reduce(values: Tensor) -> Tensor:
    """The share of values that are zero, a float32 scalar on the device. NaN is not."""
    return values.eq(0).float().mean()


def of_layers(reduced: Tensor, *, owners: Tensor, sizes: Tensor, layers: int) -> Tensor:
    """Shares of calls [1, calls] to [1, layers]; NaN for layers that no such function follows. About half
    are zero in a fresh network: Glorot et al., "Deep sparse rectifier neural networks" (AISTATS 2011)."""
    return means_of_layers(reduced, owners=owners, weights=sizes, layers=layers).float()
