"""A few values that stand for all of a large tensor, so that a snapshot costs no more time or memory than it must."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

MOST_AT_ONCE: Final = 256  # tensors: what is reduced together takes some of their memory
CACHED: Final = 131_072  # values: half a megabyte


@dataclass(frozen=True, slots=True, kw_only=True)
class Few:
    """At most ``most`` values of a tensor, in runs of ``block`` neighbours, spread evenly.

    The share of the values that are zero, a mean or a root mean square is then off by about ``1 / sqrt(most)`` of a
    standard deviation where the values are alike, and by more where they sit in few rows, as the updates of a sparsely
    used embedding do.
    """

    most: int
    block: int

    def of(self, tensor: Tensor) -> Tensor:
        """A view of the values; the tensor itself where it has no more than ``most``. Same places for same strides."""
        size = tensor.numel()
        if size <= self.most:
            return tensor
        if not _dense(tensor):
            tensor = tensor.contiguous()
        count = self.most // self.block
        widest = (size - self.block) // (count - 1)
        # else a row's same columns would be taken every time
        spread = next(way for way in range(widest, 0, -1) if math.gcd(way, tensor.shape[-1]) == 1)
        left = size - self.block - spread * (count - 1)  # as much at the beginning as at the end
        return tensor.as_strided((count, self.block), (spread, 1), tensor.storage_offset() + left // 2)


ACTIVATIONS: Final = Few(most=8_192, block=16)
PARAMETERS: Final = Few(most=16_384, block=4)  # short runs: embeddings change in few rows


def at_once(values: int, *, device: torch.device) -> int:
    """How many tensors of so many values are best reduced together. A CPU's caches hold few, and memory that is taken
    and given back for more costs it more than all that is computed; elsewhere few large kernels are best."""
    return MOST_AT_ONCE if device.type != "cpu" else min(MOST_AT_ONCE, max(1, CACHED // values))


def _dense(tensor: Tensor) -> bool:
    """Whether the values lie in memory without gaps, in whatever order."""
    if tensor.is_contiguous():
        return True
    form = {4: torch.channels_last, 5: torch.channels_last_3d}.get(tensor.dim())
    return form is not None and tensor.is_contiguous(memory_format=form)
