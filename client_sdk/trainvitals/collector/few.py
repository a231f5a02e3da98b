"""A few values that stand for all of a large tensor, so that a snapshot costs no more time or memory than it must."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

MOST_AT_ONCE: Final = 256  # tensors: what is reduced together takes some of their memory
CACHED: Final = 262_144  # values: a megabyte


@dataclass(frozen=True, slots=True, kw_only=True)
class Few:
    """At most ``most`` values of a tensor, in groups of runs of ``block`` neighbours, spread evenly.

    The share of the values that are zero, a mean or a root mean square is then off by about ``1 / sqrt(most)`` of a
    standard deviation where the values are alike, and by more where they sit in few rows, as the updates of a sparsely
    used embedding do.
    """

    most: int
    block: int

    def of(self, tensor: Tensor, *, like: Tensor | None = None) -> Tensor:
        """The values, [groups, runs, block]; the tensor itself where it has no more than ``most``. Same places for same
        strides, or those that are taken of a tensor of the same shape that it is ``like``.

        A view where the places lie in memory at one distance, as they do without gaps; elsewhere, as of a slice, a copy
        of these values alone, beside which their places take as much memory for a moment.
        """
        size = tensor.numel()
        if size <= self.most:
            return tensor
        if like is None and tensor.is_contiguous():  # the rule, and sooner known
            way, first = self._spread(size, row=next(side for side in reversed(tensor.shape) if side > 1))
            return tensor.as_strided(self._shape, (*way, 1), tensor.storage_offset() + first)
        axes = _in_order_of_memory(tensor if like is None else like, most=self.most)
        sizes, strides = [tensor.shape[axis] for axis in axes], [tensor.stride(axis) for axis in axes]
        way, first = self._spread(math.prod(sizes), row=sizes[-1])
        sizes, strides = _joined(sizes, strides)
        if len(sizes) == 1:
            start = tensor.storage_offset() + first * strides[0]
            return tensor.as_strided(self._shape, [one * strides[0] for one in (*way, 1)], start)
        extent = 1 + sum((side - 1) * stride for side, stride in zip(sizes, strides, strict=True))
        whole = torch.int32 if max(size, extent) <= torch.iinfo(torch.int32).max else torch.int64
        groups, runs, block = (torch.arange(side, dtype=whole, device=tensor.device) for side in self._shape)
        places = groups.mul_(way[0]).add_(first).view(-1, 1, 1) + (runs.mul_(way[1]).view(-1, 1) + block)
        taken = tensor.as_strided((extent,), (1,)).index_select(0, _in_memory(places, sizes, strides).view(-1))
        return taken.view(self._shape)

    @property
    def _shape(self) -> tuple[int, int, int]:
        runs = self.most // self.block
        groups = 1 << (runs.bit_length() - 1) // 2
        return groups, runs // groups, self.block

    def _spread(self, size: int, *, row: int) -> tuple[tuple[int, int], int]:
        """From one group to the next, and from one run to the next, and to the first: as many values lie before it as
        after the last. What runs leave over, as they are whole steps apart, lies between groups."""
        groups, runs, block = self._shape
        widest = (size - block) // (groups * runs - 1)
        way = _without_common_factor(widest, row)
        way = way if way >= block else widest  # else runs overlap; that between groups has no common factor will do
        room = size - block - way * (runs - 1)
        between = _without_common_factor(room // (groups - 1), row)
        return (between, way), (room - between * (groups - 1)) // 2


ACTIVATIONS: Final = Few(most=8_192, block=16)
PARAMETERS: Final = Few(most=16_384, block=4)  # short runs: embeddings change in few rows


def at_once(values: int, *, device: torch.device) -> int:
    """How many tensors of so many values are best reduced together. A CPU's caches hold few, and memory that is taken
    and given back for more costs it more than all that is computed; elsewhere few large kernels are best."""
    return MOST_AT_ONCE if device.type != "cpu" else min(MOST_AT_ONCE, max(1, CACHED // values))


def _without_common_factor(most: int, row: int) -> int:
    """The greatest distance, of ``most`` at the most, by which a row's same columns are not met every time."""
    return next(way for way in range(most, 0, -1) if math.gcd(way, row) == 1)


def _in_order_of_memory(tensor: Tensor, *, most: int) -> list[int]:
    """The dimensions along which values are counted, that of neighbours last. What is expanded, the same values over
    and over, comes first, and is left out where there are more than enough without."""
    strides = tensor.stride()
    axes = [axis for axis, size in enumerate(tensor.shape) if size > 1]
    axes.sort(key=lambda axis: (strides[axis] > 0, -strides[axis]))
    distinct = [axis for axis in axes if strides[axis]]
    return distinct if math.prod(tensor.shape[axis] for axis in distinct) > most else axes


def _joined(sizes: list[int], strides: list[int]) -> tuple[list[int], list[int]]:
    """As few dimensions as will do: one where the values lie in memory at one distance."""
    joined = [(sizes[-1], strides[-1])]
    for size, stride in zip(sizes[-2::-1], strides[-2::-1], strict=True):
        inner, step = joined[-1]
        if stride == inner * step:
            joined[-1] = inner * size, step
        else:
            joined.append((size, stride))
    return [size for size, _ in joined[::-1]], [stride for _, stride in joined[::-1]]


def _in_memory(places: Tensor, sizes: list[int], strides: list[int]) -> Tensor:
    """Places in the order of the dimensions to places in memory, with one more tensor like them for a moment."""
    offsets = places * strides[-1]
    for axis in range(len(sizes) - 1, 0, -1):
        places.div_(sizes[axis], rounding_mode="floor")  # how often one has gone round
        offsets.add_(places, alpha=strides[axis - 1] - sizes[axis] * strides[axis])
    return offsets
