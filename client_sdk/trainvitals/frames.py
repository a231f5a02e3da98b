"""Snapshots and metric points as the parts of a frame."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import TYPE_CHECKING

from trainvitals.outbox import Point
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import LayerStats, MetricPoints, Section, section
from trainvitals.wire.histograms import CELLS, HistogramPart, Histograms, ValueKind, part

if TYPE_CHECKING:
    from torch import Tensor

    from trainvitals.collector.snapshots import Cells, Measured, Pending, Table


def measure_all(snapshots: list[Pending]) -> list[Measured]:
    """The stats of snapshots, once the device has them."""
    if not snapshots:
        return []
    from trainvitals.collector.snapshots import measure

    return [measure(snapshot) for snapshot in snapshots]


def layer_stats(measured: list[Measured], *, max_values: int) -> Iterator[LayerStats]:
    """Snapshots as the sections of frames of at most ``max_values``: one frame or more for each set of stats, since not
    all are looked at in every snapshot, and for each set of layers, since ``watch`` may be called again."""
    tables: dict[object, dict[int, Table]] = {}
    for snapshot in measured:
        for table in snapshot.tables:
            tables.setdefault((table.stats, id(table.layers)), {})[table.step] = table
    for newest in tables.values():
        ordered = [newest[step] for step in sorted(newest)]
        size = max(1, max_values // ordered[0].matrix.numel())
        for start in range(0, len(ordered), size):
            yield _of_tables(ordered[start : start + size])


def _of_tables(tables: list[Table]) -> LayerStats:
    import torch

    stacked = torch.stack([table.matrix for table in tables], dim=-1).contiguous()
    return LayerStats(
        steps=[table.step for table in tables],
        layers=tables[0].layers,
        sections=[_section(stat, stacked[index]) for index, stat in enumerate(tables[0].stats)],
    )


def _section(stat: str, matrix: Tensor) -> Section:
    return section(stat, ctypes.string_at(matrix.data_ptr(), matrix.numel() * matrix.element_size()))


def histograms(measured: list[Measured], *, max_cells: int) -> Iterator[Histograms]:
    """Histograms of snapshots as those of frames of at most ``max_cells``, or of one kind at one step."""
    groups: dict[object, dict[int, Cells]] = {}
    for snapshot in measured:
        if (taken := snapshot.histograms) is not None:
            groups.setdefault((id(taken.layers), *taken.kinds), {})[taken.step] = taken
    for newest in groups.values():
        ordered = [newest[step] for step in sorted(newest)]
        kinds, cells = list(ordered[0].kinds), len(ordered[0].layers) * CELLS
        for few in [kinds] if cells * len(kinds) <= max_cells else [[kind] for kind in kinds]:
            size = max(1, max_cells // (cells * len(few)))
            for start in range(0, len(ordered), size):
                yield _of_cells(ordered[start : start + size], few)


def _of_cells(taken: list[Cells], kinds: list[ValueKind]) -> Histograms:
    return Histograms(
        steps=[cells.step for cells in taken],
        layers=taken[0].layers,
        parts=[_part(kind, [cells.kinds[kind] for cells in taken]) for kind in kinds],
    )


def _part(kind: ValueKind, taken: list[Tensor]) -> HistogramPart:
    import torch

    # the lower half of each number, for a tensor of uint16 can do little
    stacked = torch.stack(taken, dim=1).view(torch.int16)[..., ::2].contiguous()
    data = ctypes.string_at(stacked.data_ptr(), stacked.numel() * stacked.element_size())
    return part(kind, data)


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
