"""Tensors on their way to the host: gathered into one on the device, copied once, taken apart by another thread."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Named tensors in one; ``event`` is None if the numbers are on the host already."""

    numbers: Tensor
    shapes: dict[str, tuple[int, ...]]
    event: torch.cuda.Event | None


def send(pieces: Mapping[str, Tensor]) -> Parcel:
    """Start the one copy to the host. Waits for nothing."""
    shapes = {name: tuple(piece.shape) for name, piece in pieces.items()}
    flat = on_one_device([piece.reshape(-1).float() for piece in pieces.values()])
    numbers = torch.cat(flat) if flat else torch.empty(0)
    if numbers.device.type == "cpu":
        return Parcel(numbers=numbers, shapes=shapes, event=None)
    if numbers.device.type != "cuda":
        return Parcel(numbers=numbers.cpu(), shapes=shapes, event=None)
    host = torch.empty(numbers.shape, dtype=numbers.dtype, device="cpu", pin_memory=True)
    host.copy_(numbers, non_blocking=True)
    event = torch.cuda.Event(blocking=True)  # who waits for it leaves the processor to others
    event.record(torch.cuda.current_stream(numbers.device))
    return Parcel(numbers=host, shapes=shapes, event=event)


def receive(parcel: Parcel) -> dict[str, Tensor]:
    """The tensors, float32 on the host. Waits for the device."""
    if parcel.event is not None:
        parcel.event.synchronize()
    parts = parcel.numbers.split([prod(shape) for shape in parcel.shapes.values()])
    return {name: part.view(shape) for part, (name, shape) in zip(parts, parcel.shapes.items(), strict=True)}


def integers(numbers: Sequence[int]) -> Tensor:
    """Int64 on the host; five times as fast as ``torch.tensor``."""
    return torch.frombuffer(array("q", numbers), dtype=torch.int64) if numbers else torch.empty(0, dtype=torch.int64)


def at_device_of(other: Tensor, numbers: Tensor) -> Tensor:
    """Numbers from the host where ``other`` lies; the host does not wait for what the device still has to do."""
    return numbers.to(other.device, non_blocking=True)


def on_one_device(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors on the device of the first that is not the host's, or on the host where all are: what comes from a
    device would not be there yet when the host reads it."""
    devices = [tensor.device for tensor in tensors]
    device = next((one for one in devices if one.type != "cpu"), devices[0] if devices else None)
    return [tensor if tensor.device == device else tensor.to(device, non_blocking=True) for tensor in tensors]
