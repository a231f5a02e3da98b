"""What enters a network: the scale of a batch, and a number by which the same batch is known again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.few import ACTIVATIONS
from trainvitals.collector.loss_facts import Facts
from trainvitals.collector.loss_watch import is_plain

MOST_ROWS: Final = 256  # to tell the spread of a column from
MOST_COLUMNS: Final = 4096


def facts_of_inputs(arguments: Iterable[object]) -> Facts:
    """Of the first tensor among a module's arguments a checksum; of the first of real numbers mean, standard deviation,
    absolute maximum, and, where it has columns, how unequal their spreads are. Scalars on the device."""
    tensors: list[Tensor] = [one for one in arguments if isinstance(one, Tensor) and is_plain(one)]
    if not tensors:
        return {}
    few = ACTIVATIONS.of(tensors[0].detach()).reshape(-1).float()
    ramp = torch.linspace(1.0, 2.0, len(few), device=few.device)
    found: Facts = {"input_checksum": few.mul(ramp).sum()}
    real = next((tensor.detach() for tensor in tensors if tensor.is_floating_point()), None)
    if real is None:
        return found
    values = ACTIVATIONS.of(real).float()
    found |= {
        "input_mean": values.mean(),
        "input_std": values.std(correction=0),
        "input_max": values.abs().max(),
    }
    if real.dim() == 2 and min(real.shape) > 1:
        spreads = real[:MOST_ROWS, :MOST_COLUMNS].float().std(0)
        moving = torch.where(spreads > 0, spreads, torch.full_like(spreads, torch.inf))
        found["input_column_ratio"] = spreads.max() / moving.min()
    return found
