"""A snapshot on its way: copied once from the device, turned into stats by another thread."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import torch
from torch import Tensor

from trainvitals.collector import clipping
from trainvitals.collector.decay import Decay, penalties
from trainvitals.collector.noise import Estimate, estimate
from trainvitals.collector.parcel import Parcel, integers, on_one_device, receive, send
from trainvitals.collector.sample import HISTOGRAM, TOGETHER, Sample
from trainvitals.collector.shards import Held, Shards
from trainvitals.collector.stats import (
    activations,
    attention,
    dead_units,
    drift,
    gradient_values,
    gradients,
    histograms,
    moments,
    rectified,
    saturation,
    updates,
    weights,
)
from trainvitals.wire.histograms import VALUE_KINDS, ValueKind


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
    "rectified": rectified,
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


SEEN: Final = ("gradients", TOGETHER)  # kinds that make up the gradient's norm, each gradient in one of them
SHARDED: Final[Sequence[str]] = (
    *SEEN,
    "updates",
    "gradient_values",
    "weights",
    "moments",
    HISTOGRAM + "weights",
    HISTOGRAM + "gradients",
)  # kinds of which ranks hold parts
METRIC: Final = "metric/"  # before the name of a number of the whole run, among what is copied


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A snapshot whose numbers are being copied to the host, with owners and sizes of each kind's columns. ``shards``
    puts it together with what other ranks hold of it; ``ships_layers``: False where another rank does; ``has_norm``:
    False where the gradient's norm is not that of all there is."""

    step: int
    in_depth: bool
    ships_layers: bool
    has_norm: bool
    shards: Shards | None
    layers: list[str]
    parcel: Parcel
    owners: dict[str, list[int]]
    sizes: dict[str, list[int]]
    decays: list[Decay]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Stats of layers at a step: float32 [stats, layers]."""

    step: int
    stats: tuple[str, ...]
    layers: list[str]
    matrix: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Histograms of layers at a step: kind of values → int32 [layers, 65], as the wire has them."""

    step: int
    layers: list[str]
    kinds: dict[ValueKind, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A snapshot as numbers, and the global gradient norm: NaN if no gradient was seen, None where it is not known, or
    of no account as the step was skipped. ``metrics``: those that lay on the device."""

    step: int
    tables: list[Table]
    grad_norm: float | None
    noise: Estimate | None = None
    histograms: Cells | None = None
    penalties: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


def pack(
    sample: Sample,
    *,
    layers: list[str],
    ships_layers: bool = True,
    has_norm: bool = True,
    shards: Shards | None = None,
    metrics: Mapping[str, Tensor],
) -> Pending:
    """Start the one copy to the host: of a sample, and of ``metrics``, one-element tensors, of the same step."""
    pieces = {kind: torch.cat(on_one_device(of.pieces), dim=1) for kind, of in sample.kinds.items()}
    pieces |= {METRIC + name: value.detach() for name, value in metrics.items()}
    return Pending(
        step=sample.step,
        in_depth=sample.in_depth,
        ships_layers=ships_layers,
        has_norm=has_norm,
        shards=shards,
        layers=layers,
        parcel=send(pieces),
        owners={kind: columns.owners for kind, columns in sample.kinds.items()},
        sizes={kind: columns.sizes for kind, columns in sample.kinds.items()},
        decays=sample.decays,
    )


def measure(pending: Pending) -> Measured:
    """The stats of a snapshot. Waits for the device, and for other ranks; belongs on the background thread."""
    received = receive(pending.parcel)
    metrics = {name.removeprefix(METRIC): float(value) for name, value in received.items() if name.startswith(METRIC)}
    held = {
        kind: Held(columns=received[kind], owners=owners, sizes=pending.sizes[kind])
        for kind, owners in pending.owners.items()
    }
    if pending.shards is not None:
        own = {kind: held.pop(kind) for kind in SHARDED if kind in held}
        held |= pending.shards.exchange(pending.step, own, in_depth=pending.in_depth)
    if "skipped" in held and bool(held["skipped"].columns.ne(0).any()):
        metrics.pop(clipping.BEFORE, None)
        return Measured(step=pending.step, tables=[], grad_norm=None, metrics=metrics)
    norms = [held[kind] for kind in SEEN if kind in held]
    has_norm = pending.has_norm and (pending.shards is None or bool(norms))
    return Measured(
        step=pending.step,
        tables=_tables(pending.step, held, layers=pending.layers) if pending.ships_layers else [],
        grad_norm=_norm(norms) if has_norm else None,
        noise=_noise(held.get("noise")),
        histograms=_histograms(pending.step, held, layers=pending.layers) if pending.ships_layers else None,
        penalties=_penalties(held.get("updates"), pending.decays),
        metrics=metrics,
    )


def _norm(gradients: Sequence[Held]) -> float:
    squares = [float(of.columns[0].double().square().sum()) for of in gradients]
    return math.sqrt(math.fsum(squares)) if squares else math.nan


def _penalties(moved: Held | None, decays: list[Decay]) -> dict[str, float]:
    if moved is None or len(decays) != len(moved.sizes):  # of other ranks' shards it is not known
        return {}
    return penalties(moved.columns[0], sizes=moved.sizes, decays=decays)


def _noise(noise: Held | None) -> Estimate | None:
    if noise is None:
        return None
    before, first, whole, scale = noise.columns[:, 0].double().tolist()
    if before:  # gradients of the step before, which nothing has cleared
        return None
    return estimate(
        first=(first / scale) ** 2,
        whole=(whole / scale) ** 2,
        passes=noise.owners[0],
        examples=noise.sizes[0],
    )


def _histograms(step: int, held: dict[str, Held], *, layers: list[str]) -> Cells | None:
    kinds = {
        kind: histograms.of_layers(
            found.columns,
            owners=integers(found.owners),
            sizes=integers(found.sizes).double(),
            layers=len(layers),
        )
        for kind in VALUE_KINDS
        if (found := held.get(HISTOGRAM + kind)) is not None
    }
    return Cells(step=step, layers=layers, kinds=kinds) if kinds else None


def _tables(step: int, held: dict[str, Held], *, layers: list[str]) -> list[Table]:
    return [
        _table(step, held, kinds, layers=layers) for kinds in (ALWAYS, IN_DEPTH) if not held.keys().isdisjoint(kinds)
    ]


def _table(step: int, held: dict[str, Held], kinds: dict[str, Kind], *, layers: list[str]) -> Table:
    present = [kind for kind in kinds if kind in held]
    parts = [
        kinds[kind].of_layers(
            held[kind].columns,
            owners=integers(held[kind].owners),
            sizes=integers(held[kind].sizes).double(),
            layers=len(layers),
        )
        for kind in present
    ]
    stats = tuple(stat for kind in present for stat in kinds[kind].STATS)
    return Table(step=step, stats=stats, layers=layers, matrix=torch.cat(parts))
