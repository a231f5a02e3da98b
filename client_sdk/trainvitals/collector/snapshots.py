"""A snapshot on its way: gathered on the device during a step, copied once, turned into stats by another thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.stats import activations, gradients, updates

STATS: Final = (*activations.STATS, *gradients.STATS, *updates.STATS)
SMALL_VALUES: Final = 16_384  # activations up to this size are copied and reduced together: a copy is one kernel
MAX_WAITING: Final = (
    256  # copies of one size, so that gradient accumulation takes no more memory with every micro-batch
)
MAX_CALLS: Final = 50_000  # of layers in a step: an optimizer that never steps must not make it grow for ever


@dataclass(slots=True, kw_only=True)
class Sample:
    """What one sampled step has given so far, all of it still on the device."""

    step: int
    small: dict[int, list[Tensor]] = field(default_factory=dict)
    small_owners: dict[int, list[int]] = field(default_factory=dict)
    rows: list[Tensor] = field(default_factory=list)
    row_owners: list[int] = field(default_factory=list)
    row_sizes: list[int] = field(default_factory=list)
    gradients: list[Tensor] = field(default_factory=list)
    gradient_owners: list[int] = field(default_factory=list)
    before: list[Tensor] = field(default_factory=list)
    moved: list[Tensor] = field(default_factory=list)
    parameter_owners: list[int] = field(default_factory=list)
    room: int = MAX_CALLS

    def add_activation(self, layer: int, output: Tensor) -> None:
        """Take an output of a layer; large ones are reduced now, small ones together at the end."""
        size = output.numel()
        if size == 0 or not output.is_floating_point() or self.room == 0:
            return
        self.room -= 1
        flat = output.detach().reshape(-1)
        if size > SMALL_VALUES:
            self.rows.append(activations.reduce_rows(flat.unsqueeze(0)))
            self.row_owners.append(layer)
            self.row_sizes.append(size)
            return
        # a copy, because the next layer may change it in place
        waiting = self.small.setdefault(size, [])
        waiting.append(flat.to(torch.float32, copy=True))
        self.small_owners.setdefault(size, []).append(layer)
        if len(waiting) == MAX_WAITING:
            self.reduce_small()

    def reduce_small(self) -> None:
        """Reduce the small activations, those of one size in one go."""
        for size, waiting in self.small.items():
            owners = self.small_owners[size]
            self.rows.append(activations.reduce_rows(torch.stack(_on_one_device(waiting))))
            self.row_owners.extend(owners)
            self.row_sizes.extend([size] * len(owners))
        self.small.clear()
        self.small_owners.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A snapshot whose numbers are being copied to the host; ``event`` is None if they are there already."""

    step: int
    layers: list[str]
    numbers: Tensor
    event: torch.cuda.Event | None
    row_owners: list[int]
    row_sizes: list[int]
    gradient_owners: list[int]
    parameter_owners: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A snapshot as numbers: float32 [stats, layers] in the order of STATS, and the global gradient norm."""

    step: int
    matrix: Tensor
    grad_norm: float


def pack(sample: Sample, *, layers: list[str]) -> Pending:
    """Start the one copy of a sample to the host."""
    sample.reduce_small()
    grads = [torch.cat(_on_one_device(sample.gradients), dim=1)] if sample.gradients else []
    pieces = [*sample.rows, *grads, *sample.before, *sample.moved]
    flat = torch.cat(_on_one_device([piece.reshape(-1) for piece in pieces]))
    event = None
    if flat.device.type == "cuda":
        host = torch.empty(flat.shape, dtype=flat.dtype, device="cpu", pin_memory=True)
        host.copy_(flat, non_blocking=True)
        event = torch.cuda.Event()
        event.record(torch.cuda.current_stream(flat.device))
        flat = host
    return Pending(
        step=sample.step,
        layers=layers,
        numbers=flat,
        event=event,
        row_owners=sample.row_owners,
        row_sizes=sample.row_sizes,
        gradient_owners=sample.gradient_owners,
        parameter_owners=sample.parameter_owners,
    )


def measure(pending: Pending) -> Measured:
    """The stats of a snapshot. Waits for the device; belongs on the background thread."""
    if pending.event is not None:
        pending.event.synchronize()
    layers = len(pending.layers)
    calls, grads, parameters = len(pending.row_owners), len(pending.gradient_owners), len(pending.parameter_owners)
    numbers = pending.numbers.cpu()
    rows, reduced, before, moved = torch.split(
        numbers, [calls * activations.COLUMNS, 2 * grads, parameters, parameters]
    )
    gradient_parts = reduced.view(2, grads)
    matrix = torch.cat(
        (
            activations.of_layers(
                rows.view(calls, activations.COLUMNS),
                owners=torch.tensor(pending.row_owners, dtype=torch.int64),
                sizes=torch.tensor(pending.row_sizes, dtype=torch.float64),
                layers=layers,
            ),
            gradients.of_layers(
                gradient_parts, owners=torch.tensor(pending.gradient_owners, dtype=torch.int64), layers=layers
            ),
            updates.of_layers(
                before, moved, owners=torch.tensor(pending.parameter_owners, dtype=torch.int64), layers=layers
            ),
        )
    )
    total = float(gradient_parts[0].double().square().sum().sqrt()) if grads else float("nan")
    return Measured(step=pending.step, matrix=matrix, grad_norm=total)


def _on_one_device(tensors: list[Tensor]) -> list[Tensor]:
    device = tensors[0].device
    return [tensor if tensor.device == device else tensor.to(device, non_blocking=True) for tensor in tensors]
