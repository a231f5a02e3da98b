"""What enters a network: the scale of a batch, and a number by which the same batch is known again."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import torch
from torch import Tensor, nn

from trainvitals.collector.few import ACTIVATIONS
from trainvitals.collector.loss_facts import Facts
from trainvitals.collector.loss_watch import is_plain
from trainvitals.collector.phases import examples_in
from trainvitals.collector.roots import inner

MOST_ROWS: Final = 256  # to tell the spread of a column from
MOST_COLUMNS: Final = 4096
_NO_INPUT: Final = re.compile("label|target|mask")  # of a batch that a library gives by keyword


def inputs_of(module: nn.Module, arguments: Sequence[object], named: Mapping[str, object]) -> Sequence[object]:
    """What a module is given, in the order in which its ``forward`` names it: callers have orders of their own. Labels
    and masks are no inputs."""
    if not named:
        return arguments
    order = _order(type(inner(module)).forward)
    names = sorted((name for name in named if not _NO_INPUT.search(name)), key=lambda name: order.get(name, len(order)))
    return (*arguments, *(named[name] for name in names))


@functools.lru_cache(maxsize=64)
def _order(forward: Callable[..., object]) -> dict[str, int]:
    try:
        return {name: place for place, name in enumerate(inspect.signature(forward).parameters)}
    except (TypeError, ValueError):  # made by other means than a def
        return {}


def facts_of_inputs(arguments: Iterable[object]) -> Facts:
    """Of the first tensor among a module's arguments a checksum, and how many examples it has; of the first of real
    numbers mean, standard deviation, absolute maximum, and, where it has columns, how unequal their spreads are.
    Scalars on the device."""
    tensors: list[Tensor] = [one for one in arguments if isinstance(one, Tensor) and is_plain(one)]
    if not tensors:
        return {}
    few = ACTIVATIONS.of(tensors[0].detach()).reshape(-1).float()
    ramp = torch.linspace(1.0, 2.0, len(few), device=few.device)
    found: Facts = {"input_checksum": few.mul(ramp).sum(), "examples": float(examples_in(tensors))}
    real = next((tensor.detach() for tensor in tensors if tensor.is_floating_point()), None)
    if real is None:
        return found
    values = ACTIVATIONS.of(real).float()
    found |= {
        "input_mean": values.mean(),
        "input_std": values.std(correction=0),
        "input_max": values.abs().amax(),
    }
    if real.dim() == 2 and min(real.shape) > 1:
        rows = real[:MOST_ROWS, :MOST_COLUMNS].float()
        rows = rows - rows[:1]  # whereby what is constant is exactly 0
        squares = rows.sub_(rows.mean(0)).square_().sum(0)  # not std: along columns it is 15 times slower on a CPU
        moving = squares.masked_fill(squares == 0, torch.inf)
        found["input_column_ratio"] = (squares.amax() / moving.amin()).sqrt()
    return found
