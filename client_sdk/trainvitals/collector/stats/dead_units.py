"""Which units of a rectifier answer zero to everything, for several batches: dead, not merely sparse."""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn

from trainvitals.collector.stats.norms import means_of_layers

STATS: Final = ("dead_fraction",)
RECTIFIERS: Final = (nn.ReLU, nn.ReLU6)
_CHANNELS_SECOND: Final = (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm)


def unit_dims(modules: list[nn.Module]) -> dict[int, int]:
    """Of each rectifier among layers in order, the dimension of its output that counts units: the second after a
    convolution or a norm over channels, the last after everything else."""
    found: dict[int, int] = {}
    unit_dim = -1
    for index, module in enumerate(modules):
        if isinstance(module, RECTIFIERS):
            found[index] = unit_dim
        elif isinstance(module, (nn.Flatten, *_CHANNELS_SECOND)) or any(True for _ in module.parameters(recurse=False)):
            unit_dim = unit_dim_behind(module)
    return found


def unit_dim_behind(module: nn.Module) -> int:
    """The dimension that counts units in what a layer gives out."""
    return 1 if isinstance(module, _CHANNELS_SECOND) else -1


def peaks(output: Tensor, *, unit_dim: int) -> Tensor:
    """The largest value of each unit, [units], over all else."""
    unit_dim %= output.dim()
    others = [dim for dim in range(output.dim()) if dim != unit_dim]
    return output.amax(dim=others) if others else output


def of_layers(reduced: Tensor, *, owners: Tensor, sizes: Tensor, layers: int) -> Tensor:
    """Shares of units that fired in the window, [1, rectifiers], to those of dead ones, [1, layers]; else NaN.

    Per unit and over a window, since 50 to 90 % of a healthy rectifier's values are zero (the dying ReLU: Maas et al.,
    ICML 2013 workshop; Lu et al., arXiv:1903.06733).
    """
    return 1 - means_of_layers(reduced, owners=owners, weights=sizes, layers=layers).float()
