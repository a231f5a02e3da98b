"""What a layer declares of itself: the numbers that it was made with, and the weights that it begins with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from trainvitals.collector.few import PARAMETERS
from trainvitals.collector.parcel import on_one_device
from trainvitals.wire.messages import InitialWeights

SETTINGS: Final = (
    "p",
    "eps",
    "momentum",
    "num_features",
    "in_features",
    "out_features",
    "in_channels",
    "out_channels",
    "num_embeddings",
    "embedding_dim",
    "hidden_size",
    "num_heads",
    "negative_slope",
    "dropout",
)
ROWS: Final = 8  # units that are compared
COLUMNS: Final = 1024  # weights of each


def settings_of(module: nn.Module) -> dict[str, float]:
    """Its numbers by their names; of modules of PyTorch's alone, whose names are known to mean the same."""
    if not any(kind.__module__.startswith("torch.nn.") for kind in type(module).__mro__ if kind is not nn.Module):
        return {}
    found = {name: getattr(module, name, None) for name in SETTINGS}
    return {
        name: float(value) for name, value in found.items() if isinstance(value, (int, float)) and math.isfinite(value)
    }


def initial_weights(parameters: Sequence[nn.Parameter], owners: Sequence[int]) -> dict[int, InitialWeights]:
    """Of each layer's first weight of two dimensions or more; one copy to the host for all. Shards and tensors without
    values are left out."""
    firsts: dict[int, Tensor] = {}
    for parameter, owner in zip(parameters, owners, strict=True):
        if owner not in firsts and parameter.dim() > 1 and _has_values(parameter):
            firsts[owner] = parameter.detach()
    if not firsts:
        return {}
    with torch.no_grad():
        told = torch.stack(on_one_device([_told(weight) for weight in firsts.values()])).tolist()
    return {
        owner: InitialWeights(
            std=std, largest=largest, fan_in=weight[0].numel(), equal_rows=bool(equal) and len(weight) > 1
        )
        for (owner, weight), (std, largest, equal) in zip(firsts.items(), told, strict=True)
    }


def _told(weight: Tensor) -> Tensor:
    few = PARAMETERS.of(weight).float()
    rows = weight.flatten(1)[:: max(1, len(weight) // ROWS), :COLUMNS]
    lowest, largest = few.aminmax()
    spread = few.std(correction=0) * lowest.ne(
        largest
    )  # the deviation of equal numbers is rounding, and not quite zero
    return torch.stack([spread, few.abs().max(), rows.eq(rows[:1]).all().float()])


def _has_values(parameter: Tensor) -> bool:
    return (
        parameter.is_floating_point()
        and parameter.numel() > 0
        and parameter.layout == torch.strided
        and parameter.device.type != "meta"
        and not hasattr(parameter, "_local_tensor")
        and not nn.parameter.is_lazy(parameter)
    )
