"""How much of a squashing layer's output lies at its ends, where gradients die."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from torch import Tensor, nn

from trainvitals.collector.stats.norms import means_of_layers

STATS: Final = ("saturated_fraction",)
TAIL: Final = 0.97  # of tanh, and as far from a sigmoid's ends; Glorot & Bengio (AISTATS 2010) look at such tails
BRINK: Final = 1 - 1e-6  # of what is cut off: only what is cut off counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Where an activation is not saturated: within ``reach`` of ``centre``."""

    centre: float
    reach: float


OF_FUNCTIONS: Final = {"tanh": Range(centre=0.0, reach=TAIL), "sigmoid": Range(centre=0.5, reach=TAIL / 2)}


def range_of(module: nn.Module) -> Range | None:
    """Of a layer that saturates; None for all others."""
    if isinstance(module, nn.ReLU6):
        return None  # PyTorch counts it among the hard tanhs
    if isinstance(module, nn.Hardtanh):
        reach = (module.max_val - module.min_val) / 2
        return Range(centre=module.min_val + reach, reach=reach * BRINK)
    if isinstance(module, nn.Hardsigmoid):
        return Range(centre=0.5, reach=0.5 * BRINK)
    if isinstance(module, nn.Sigmoid):
        return OF_FUNCTIONS["sigmoid"]
    if isinstance(module, (nn.Tanh, nn.Softsign, nn.Softmax)):
        return OF_FUNCTIONS["tanh"]
    return None


def at_stake(module: nn.Module, output: Tensor) -> Tensor:
    """The values that may be saturated: all, or of a softmax the largest of each distribution."""
    return output.amax(dim=module.dim) if isinstance(module, nn.Softmax) and module.dim is not None else output


def reduce(values: Tensor, within: Range) -> Tensor:
    """The saturated share of values, a float32 scalar on the device. NaN is not saturated."""
    return values.float().sub(within.centre).abs_().gt_(within.reach).mean()


def of_layers(reduced: Tensor, *, owners: Tensor, sizes: Tensor, layers: int) -> Tensor:
    """Shares of calls [1, calls] to [1, layers]; NaN for layers that do not saturate."""
    return means_of_layers(reduced, owners=owners, weights=sizes, layers=layers).float()
