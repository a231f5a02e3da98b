"""What weight decay asks of the weights, as a part of the loss or beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from torch import Tensor
from torch.optim import Optimizer

FLAGS: Final = ("decoupled_weight_decay", "decoupled_decay")  # in parameter groups of torch's and timm's optimizers
DECOUPLED: Final = ("adamw", "sgdw", "lion", "adafactor", "muon")  # in names of optimizers that have no flag


@dataclass(frozen=True, slots=True)
class Decay:
    """λ of a parameter, 0 where it is not decayed, and whether its decay is decoupled from the gradient."""

    factor: float
    is_decoupled: bool


def decays_of(
    parameters: Iterable[Tensor],
    optimizer: Optimizer,
    settings: Mapping[int, Mapping[str, Any]],  # Any: a group's
) -> Iterator[Decay]:
    """Of each parameter; ``settings``: of its group, by its id. An optimizer passes over what has no gradient."""
    of_groups: dict[int, tuple[Decay, Decay]] = {}
    for parameter in parameters:
        group = settings.get(id(parameter), {})
        if (found := of_groups.get(id(group))) is None:
            decay = _decay_of(optimizer, group)
            found = of_groups[id(group)] = (decay, Decay(0.0, decay.is_decoupled))
        yield found[parameter.grad is None]


def _decay_of(optimizer: Optimizer, settings: Mapping[str, Any]) -> Decay:  # Any: a group's
    """λ is NaN where it lies in a tensor, for reading it could make the training wait."""
    flag = next((settings[name] for name in FLAGS if isinstance(settings.get(name), bool)), None)
    name = type(optimizer).__name__.lower()
    is_decoupled = any(word in name for word in DECOUPLED) if flag is None else flag
    factor = settings.get("weight_decay", 0.0)
    return Decay(float(factor) if isinstance(factor, (int, float)) else math.nan, is_decoupled)


def penalties(rms: Tensor, *, sizes: Sequence[int], decays: Sequence[Decay]) -> dict[str, float]:
    """Σ ½ λ ‖w‖² over parameters, from root mean squares of their weights before the step, [parameters]; nothing where
    nothing is decayed, or λ is not known.

    ``weight_decay_penalty``: where decay is coupled (SGD, Adam, RMSprop, Adagrad) its gradient is what the optimizer
    adds to the loss's: what is minimised is the loss that was logged plus this. ``decoupled_decay_penalty``: where it
    is not (AdamW: Loshchilov & Hutter, arXiv:1711.05101) the weights follow lr · λ · w beside the optimizer's own step.
    It pulls the same sum down, but is no part of a loss: set against one, its size says nothing, its course does.
    """
    found = {"weight_decay_penalty": 0.0, "decoupled_decay_penalty": 0.0}
    for value, size, decay in zip(rms.tolist(), sizes, decays, strict=True):
        if decay.factor:
            name = "decoupled_decay_penalty" if decay.is_decoupled else "weight_decay_penalty"
            found[name] += 0.5 * decay.factor * size * value**2
    return {name: total for name, total in found.items() if total and not math.isnan(total)}
