"""Snapshots and metric points as the parts of a frame."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from trainvitals.outbox import Point
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import LayerStats, MetricPoints, Section, section

if TYPE_CHECKING:
    from torch import Tensor

    from trainvitals.collector.snapshots import Measured, Pending


def measure_all(snapshots: list[Pending]) -> list[Measured]:
    """The stats of snapshots, once the device has them."""
    if not snapshots:
        return []
    from trainvitals.collector.snapshots import measure

    return [measure(snapshot) for snapshot in snapshots]


def layer_stats(measured: list[Measured], layers: list[str]) -> LayerStats:
    """Snapshots of ascending steps as the sections of a frame."""
    import torch

    from trainvitals.collector.snapshots import STATS

    newest = {snapshot.step: snapshot for snapshot in measured}
    steps = sorted(newest)
    stacked = torch.stack([newest[step].matrix for step in steps], dim=-1).contiguous()
    return LayerStats(
        steps=steps,
        layers=layers,
        sections=[_section(stat, stacked[index]) for index, stat in enumerate(STATS)],
    )


def _section(stat: str, matrix: Tensor) -> Section:
    return section(stat, ctypes.string_at(matrix.data_ptr(), matrix.numel() * matrix.element_size()))


def metric_points(points: list[Point]) -> tuple[list[MetricPoints], int]:
    """Points grouped by metric, in the order in which they were logged, and how many could not be read. Waits for
    tensors."""
    steps: dict[str, list[int]] = {}
    values: dict[str, list[float]] = {}
    failed = 0
    for point in points:
        try:
            value = float(point.value)
        except Exception:  # noqa: BLE001  # a tensor whose device failed; the others are good
            failed += 1
            continue
        steps.setdefault(point.metric, []).append(point.step)
        values.setdefault(point.metric, []).append(value)
    found = [MetricPoints(metric=metric, steps=steps[metric], values=Floats.of(values[metric])) for metric in steps]
    return found, failed
