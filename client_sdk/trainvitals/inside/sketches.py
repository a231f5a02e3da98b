"""Tensors made small pictures of eight bits, on their own device, and taken to the host all at once."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from trainvitals.wire.looks import ALL, LEVELS, MARKED, Picture, PictureKind

MAX_SIDE: Final = 32  # of an activation map
MAX_CELLS: Final = 64  # along each side of what is no map: units, tokens, examples
MAX_INPUT: Final = 64  # of an input that is a picture
MAX_TILES: Final = 8  # channels or heads of one layer
MAX_FILTERS: Final = 32
MAX_UNITS: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """A picture whose bytes are on a device yet: uint8 [tiles, height, width, channels], and its scale [2]."""

    layer: str
    kind: PictureKind
    places: Tensor
    scale: Tensor
    example: int = ALL
    of: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()
    target: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is drawn: of which layer, as what. ``shape``: of the tensor that it was taken from."""

    layer: str
    kind: PictureKind
    shape: Sequence[int] = field(default=())


def drawn(
    subject: Subject,
    values: Tensor,
    *,
    of: Sequence[int] = (),
    scale: tuple[float, float] | None = None,
    is_even: bool = False,
) -> Sketch:
    """[tiles, height, width] or [tiles, height, width, channels] of any real type, of all examples together. The scale
    goes from the smallest to the largest that is finite unless it is given; where it ``is_even``, as far below zero as
    above."""
    places, ends = _quantised(values.unsqueeze(0), scale=scale, is_even=is_even)
    return _sketch(subject, places[0], ends[0], example=ALL, of=of)


def drawn_each(
    subject: Subject, values: Tensor, *, of: Sequence[int] = (), targets: Sequence[int | None] = ()
) -> list[Sketch]:
    """The same of each example, [examples, tiles, height, width] or with channels, each with a scale of its own."""
    places, ends = _quantised(values)
    return [
        _sketch(subject, places[at], ends[at], example=at, of=of, target=targets[at] if targets else None)
        for at in range(values.shape[0])
    ]


def _quantised(
    values: Tensor, *, scale: tuple[float, float] | None = None, is_even: bool = False
) -> tuple[Tensor, Tensor]:
    """Of each first index uint8 [tiles, height, width, channels], and its scale [2]."""
    values = values.detach().float()
    values = values if values.dim() == 5 else values.unsqueeze(-1)
    finite = values.abs() < torch.inf  # a third of what isfinite costs
    if scale is None:
        low, high = (torch.where(finite, values, end).flatten(1) for end in (torch.inf, -torch.inf))
        ends = torch.stack((low.amin(dim=1), high.amax(dim=1)), dim=1)
        ends = torch.where(torch.isfinite(ends), ends, torch.zeros_like(ends))
    else:
        ends = values.new_tensor(scale).expand(values.shape[0], 2)
    if is_even:
        most = ends.abs().amax(dim=1)
        ends = torch.stack((-most, most), dim=1)
    start, end = (half.view(-1, 1, 1, 1, 1) for half in (ends / 2).unbind(dim=1))  # their difference may be infinite
    width = (end - start).clamp_min(torch.finfo(torch.float32).tiny)
    parts = ((values / 2 - start) / width).clamp(0, 1).mul(LEVELS).round()
    return torch.where(finite, parts, MARKED).to(torch.uint8), ends


def _sketch(
    subject: Subject, places: Tensor, scale: Tensor, *, example: int, of: Sequence[int], target: int | None = None
) -> Sketch:
    return Sketch(
        layer=subject.layer, kind=subject.kind, places=places, scale=scale, example=example, of=tuple(of),
        shape=tuple(subject.shape), target=target,
    )  # fmt: skip


def spread(size: int, most: int) -> list[int]:
    """At most so many places of 0 to size - 1, evenly, the first and the last among them."""
    if size <= most:
        return list(range(size))
    return [place * (size - 1) // (most - 1) for place in range(most)]


def chosen(values: Tensor, dim: int, most: int) -> tuple[Tensor, list[int]]:
    """Evenly chosen places along a dimension, and which."""
    places = spread(values.shape[dim], most)
    if len(places) == values.shape[dim]:
        return values, places
    return values.index_select(dim, torch.tensor(places, device=values.device)), places


def smaller(maps: Tensor, most: int) -> Tensor:
    """Maps [examples, n, height, width] of at most so many places a side, each the mean of what it stands for."""
    height, width = maps.shape[-2:]
    if max(height, width) <= most:
        return maps
    share = most / max(height, width)
    size = (max(1, round(height * share)), max(1, round(width * share)))
    return adaptive_avg_pool2d(maps.float(), size)


def fetched(sketches: Sequence[Sketch]) -> list[Picture]:
    """Pictures in the same order, raw. One copy of all bytes from each device, and one of all scales."""
    found: dict[int, Picture] = {}
    for device in {sketch.places.device for sketch in sketches}:
        here = [(place, sketch) for place, sketch in enumerate(sketches) if sketch.places.device == device]
        whole = torch.cat([sketch.places.flatten() for _, sketch in here]).cpu()
        data = ctypes.string_at(whole.data_ptr(), whole.numel())  # NumPy need not be there
        scales = torch.stack([sketch.scale for _, sketch in here]).cpu().tolist()
        start = 0
        for (place, sketch), (low, high) in zip(here, scales, strict=True):
            end = start + sketch.places.numel()
            found[place] = _picture(sketch, data[start:end], low=low, high=high)
            start = end
    return [found[place] for place in range(len(sketches))]


def _picture(sketch: Sketch, data: bytes, *, low: float, high: float) -> Picture:
    tiles, height, width, channels = sketch.places.shape
    return Picture(
        kind=sketch.kind, example=sketch.example, tiles=tiles, height=height, width=width,
        channels=3 if channels == 3 else 1, low=low, high=high, of=list(sketch.of), shape=list(sketch.shape),
        target=sketch.target, data=data,
    )  # fmt: skip
