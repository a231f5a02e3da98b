"""A snapshot on its way: copied once from the device, turned into stats by another thread."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

import torch
from torch import Tensor

from trainvitals.collector.decay import penalty
from trainvitals.collector.noise import Estimate, estimate
from trainvitals.collector.parcel import Parcel, on_one_device, receive, send
from trainvitals.collector.sample import Sample
from trainvitals.collector.stats import (
    activations,
    attention,
    dead_units,
    drift,
    gradient_values,
    gradients,
    moments,
    saturation,
    updates,
    weights,
)


class Kind(Protocol):
    """A module in ``stats``: what its columns, gathered in a step, make of each layer."""

    @property
    def STATS(self) -> tuple[str, ...]:  # noqa: N802  # a module's constant
        """The names of what it answers."""

    def of_layers(self, reduced: Tensor, *, owners: Tensor, sizes: Tensor, layers: int) -> Tensor:
        """Float32 [stats, layers] of columns [rows, columns], with float64 sizes."""


ALWAYS: Final[dict[str, Kind]] = {
    "activations": activations,
    "saturation": saturation,
    "gradients": gradients,
    "updates": updates,
}
IN_DEPTH: Final[dict[str, Kind]] = {
    "gradient_values": gradient_values,
    "weights": weights,
    "moments": moments,
    "dead_units": dead_units,
    "drift": drift,
    "attention": attention,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A snapshot whose numbers are being copied to the host, with owners and sizes of each kind's columns."""

    step: int
    layers: list[str]
    parcel: Parcel
    owners: dict[str, list[int]]
    sizes: dict[str, list[int]]
    decays: list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Stats of layers at a step: float32 [stats, layers]."""

    step: int
    stats: tuple[str, ...]
    layers: list[str]
    matrix: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A snapshot as numbers, and the global gradient norm (NaN if no gradient was seen). No tables: the step was
    skipped."""

    step: int
    tables: list[Table]
    grad_norm: float
    noise: Estimate | None = None
    decay_penalty: float | None = None


def pack(sample: Sample, *, layers: list[str]) -> Pending:
    """Start the one copy of a sample to the host."""
    pieces = {kind: torch.cat(on_one_device(of.pieces), dim=1) for kind, of in sample.kinds.items()}
    return Pending(
        step=sample.step,
        layers=layers,
        parcel=send(pieces),
        owners={kind: columns.owners for kind, columns in sample.kinds.items()},
        sizes={kind: columns.sizes for kind, columns in sample.kinds.items()},
        decays=sample.decays,
    )


def measure(pending: Pending) -> Measured:
    """The stats of a snapshot. Waits for the device; belongs on the background thread."""
    received = receive(pending.parcel)
    if "skipped" in received and bool(received["skipped"].ne(0).any()):
        return Measured(step=pending.step, tables=[], grad_norm=torch.nan)
    tables = [_table(pending, received, kinds) for kinds in (ALWAYS, IN_DEPTH) if not received.keys().isdisjoint(kinds)]
    norm = float(received["gradients"][0].double().square().sum().sqrt() if "gradients" in received else torch.nan)
    decay = (
        penalty(received["updates"][0], sizes=pending.sizes["updates"], decays=pending.decays)
        if "updates" in received
        else None
    )
    return Measured(
        step=pending.step, tables=tables, grad_norm=norm, noise=_noise(pending, received, norm), decay_penalty=decay
    )


def _noise(pending: Pending, received: dict[str, Tensor], norm: float) -> Estimate | None:
    if "noise" not in received:
        return None
    square, scale, before_clipping = received["noise"][:, 0].double().tolist()
    return estimate(
        first=square / scale**2,
        whole=(norm if math.isnan(before_clipping) else before_clipping) ** 2,
        passes=pending.owners["noise"][0],
        examples=pending.sizes["noise"][0],
    )


def _table(pending: Pending, received: dict[str, Tensor], kinds: dict[str, Kind]) -> Table:
    present = [kind for kind in kinds if kind in received]
    parts = [
        kinds[kind].of_layers(
            received[kind],
            owners=torch.tensor(pending.owners[kind], dtype=torch.int64),
            sizes=torch.tensor(pending.sizes[kind], dtype=torch.float64),
            layers=len(pending.layers),
        )
        for kind in present
    ]
    stats = tuple(stat for kind in present for stat in kinds[kind].STATS)
    return Table(step=pending.step, stats=stats, layers=pending.layers, matrix=torch.cat(parts))
