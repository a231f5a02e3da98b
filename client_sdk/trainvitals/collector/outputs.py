"""Which tensor stands for what a layer gives out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import torch
from torch import Tensor


def measured(output: object) -> Tensor | None:
    """The first dense tensor of floating point in an output, however deep: an LSTM's output and not its states, the
    attention's output and not its weights. None if there is none."""
    if isinstance(output, Tensor):
        plain = output.layout is torch.strided and not output.is_nested and not output.is_meta
        return output if plain and output.is_floating_point() and output.numel() else None
    return next((found for part in _parts(output) if (found := measured(part)) is not None), None)


def _parts(output: object) -> Iterable[object]:
    if isinstance(output, dict):
        return output.values()
    if isinstance(output, (tuple, list)):
        return output
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        return [getattr(output, field.name) for field in dataclasses.fields(output)]
    return ()
