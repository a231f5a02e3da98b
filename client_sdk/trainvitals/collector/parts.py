"""Which parameters each optimizer is watched for."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.optim import Optimizer

from trainvitals.collector.dtensors import is_ours_to_tell
from trainvitals.collector.gradient_watch import GradientWatch
from trainvitals.collector.layers import Layers
from trainvitals.collector.optimizer_watch import OptimizerWatch
from trainvitals.collector.shards import Shards


def trained_by(optimizers: Sequence[Optimizer]) -> list[Tensor]:
    """The parameters of optimizers, each once."""
    every = (one for optimizer in optimizers for group in optimizer.param_groups for one in group["params"])
    return list({id(parameter): parameter for parameter in every}.values())


def all_of(layers: Layers, optimizers: Sequence[Optimizer]) -> list[Tensor]:
    """The parameters of the chosen layers, and those of no chosen layer that the optimizers train; where there are
    pieces of FSDP1's among the former, these alone."""
    if layers.are_flattened:
        return list(layers.parameters)
    return list({id(one): one for one in (*layers.parameters, *trained_by(optimizers))}.values())


def split(
    layers: Layers, optimizers: Sequence[Optimizer], *, leads: bool, shards: Shards | None
) -> list[OptimizerWatch | GradientWatch]:
    """Each parameter to the optimizer that has it, those that none has to the first; of no chosen layer, for the
    gradient's norm alone."""
    optimizer_of = {
        id(parameter): index
        for index, optimizer in enumerate(optimizers)
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    pairs: list[list[tuple[nn.Parameter, int]]] = [[] for _ in optimizers]
    beside: list[list[Tensor]] = [[] for _ in optimizers]
    for parameter, owner in zip(layers.parameters, layers.owners, strict=True):
        if shards is None or is_ours_to_tell(parameter, leads=leads):
            pairs[optimizer_of.get(id(parameter), 0)].append((parameter, owner))
    for other in all_of(layers, optimizers)[len(layers.parameters) :]:
        if shards is None or is_ours_to_tell(other, leads=leads):
            beside[optimizer_of[id(other)]].append(other)
    return [
        OptimizerWatch(optimizer, pairs=own, beside=others)
        if leads or shards is not None
        else GradientWatch(optimizer, [*(parameter for parameter, _ in own), *others])
        for optimizer, own, others in zip(optimizers, pairs, beside, strict=True)
    ]
