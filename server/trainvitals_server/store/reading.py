"""Answers questions about series: curves, heatmaps, the newest snapshot; what was merged and what was not alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase

import msgspec
import numpy as np
from sqlalchemy.engine import Connection

from trainvitals.wire.answers import Curve, Heatmap, RankCurves, Snapshot
from trainvitals.wire.floats import Floats
from trainvitals_server.store.blobs import Counts, Floats32, Steps
from trainvitals_server.store.catalogue import Catalogue, load_catalogue
from trainvitals_server.store.gathering import Gathered, Wanted, gather, gather_each, gather_recorded, newest_steps
from trainvitals_server.store.interface import SeriesNotFound, Span
from trainvitals_server.store.merging import Points, merged
from trainvitals_server.store.pyramid import Cells, bucket_size, cells_of_points, fold, group_starts, joined


def metric_curve(
    connection: Connection, run_id: str, run_number: int, *, metric: str, span: Span, points: int, rank: int
) -> Curve:
    """See Store.metric_curve."""
    catalogue = load_catalogue(connection, run_number)
    stream = catalogue.metric_streams().get(rank)
    if stream is None or (stream, metric) not in catalogue.series:
        raise SeriesNotFound(run_id, f"metric {metric!r} of rank {rank}")
    wanted = Wanted(run_number=run_number, rank=rank, stat=metric, streams={stream: ()}, layer=None, span=span)
    curve = _curve(gather(connection, wanted, buckets=points), run_id=run_id, points=points)
    return msgspec.structs.replace(curve, metric=metric, rank=rank)


def rank_curves(connection: Connection, run_id: str, run_number: int, *, metric: str, points: int) -> RankCurves:
    """See Store.rank_curves."""
    catalogue = load_catalogue(connection, run_number)
    of_ranks = catalogue.metric_streams()
    beyond = {stream for rank, stream in of_ranks.items() if rank}
    named = {stream: stat for stream, stat in reversed(catalogue.series) if _is_called(stat, metric)}
    wanted = [
        Wanted(run_number=run_number, rank=rank, stat=named[stream], streams={stream: ()}, layer=None, span=Span())
        for rank, stream in of_ranks.items()
        if stream in named
    ]
    curves = [
        msgspec.structs.replace(_curve(found, run_id=run_id, points=points), metric=each.stat, rank=each.rank)
        for each, found in zip(wanted, gather_each(connection, wanted, buckets=points), strict=True)
    ]
    metrics = list(dict.fromkeys(stat for stream, stat in catalogue.series if stream in beyond))
    return RankCurves(run_id=run_id, metric=metric, metrics=metrics, curves=curves)


def _is_called(name: str, wanted: str) -> bool:
    return name == wanted or ("*" in wanted and fnmatchcase(name, wanted))


def stat_curve(
    connection: Connection, run_id: str, run_number: int, *, stat: str, layer: str, span: Span, points: int, rank: int
) -> Curve:
    """See Store.stat_curve."""
    recorded = _streams_with(load_catalogue(connection, run_number), stat, rank=rank)
    streams = {number: layers for number, layers in recorded.items() if layer in layers}
    if not streams:
        raise SeriesNotFound(run_id, f"stat {stat!r} of layer {layer!r} of rank {rank}")
    wanted = Wanted(run_number=run_number, rank=rank, stat=stat, streams=streams, layer=layer, span=span)
    curve = _curve(gather(connection, wanted, buckets=points), run_id=run_id, points=points)
    return msgspec.structs.replace(curve, stat=stat, layer=layer, rank=rank)


def _streams_with(catalogue: Catalogue, stat: str, *, rank: int) -> dict[int, tuple[str, ...]]:
    return {
        number: layers
        for number, layers in catalogue.layer_streams(rank=rank).items()
        if (number, stat) in catalogue.series
    }


def _curve(found: Gathered, *, run_id: str, points: int) -> Curve:
    of_streams = [found.points[stream] for stream in sorted(found.points)]
    steps, values = merged(of_streams) if of_streams else _no_points(rows=1)
    whole = [cells for parts in found.cells.values() for cells in parts]
    if not whole and len(steps) <= points:
        return Curve(
            run_id=run_id,
            steps=steps.tolist(),
            last_steps=steps.tolist(),
            low=_floats(values),
            mean=_floats(values),
            high=_floats(values),
            nonfinite=(~np.isfinite(values[0])).astype(int).tolist(),
        )
    cells = joined([*whole, cells_of_points(steps, values)], rows=1)
    total = int(cells.size.sum())
    cells = fold(cells, group_starts(cells.size, at_most=points))
    return Curve(
        run_id=run_id,
        steps=cells.first.tolist(),
        last_steps=cells.last.tolist(),
        low=_floats(cells.low),
        mean=_floats(cells.mean),
        high=_floats(cells.high),
        nonfinite=cells.bad[0].tolist(),
        bucket=bucket_size(total, at_most=points),
    )


def heatmap(
    connection: Connection, run_id: str, run_number: int, *, stat: str, span: Span, buckets: int, rank: int
) -> Heatmap:
    """See Store.heatmap."""
    streams = _streams_with(load_catalogue(connection, run_number), stat, rank=rank)
    if not streams:
        raise SeriesNotFound(run_id, f"stat {stat!r} of rank {rank}")
    wanted = Wanted(run_number=run_number, rank=rank, stat=stat, streams=streams, layer=None, span=span)
    found = gather(connection, wanted, buckets=buckets)
    cells = {}
    for stream, layers in streams.items():
        steps, values = found.points.get(stream, _no_points(rows=len(layers)))
        recorded = _left_to_later_layouts(cells_of_points(steps, values), stream, found.points, streams)
        cells[stream] = joined([*found.cells.get(stream, []), recorded], rows=len(layers))
    firsts, last_step = _columns(cells.values(), buckets=buckets)
    names = layers_of(streams.values())
    mean = np.full((len(names), len(firsts)), np.nan, np.float32)
    high, bad = mean.copy(), np.zeros(mean.shape, np.int64)
    places = {layer: place for place, layer in enumerate(names)}
    for stream, of_stream in cells.items():
        rows = np.array([places[layer] for layer in streams[stream]])
        _paint(of_stream, firsts, rows, mean=mean, high=high, bad=bad)
    return Heatmap(
        run_id=run_id,
        stat=stat,
        layers=names,
        steps=firsts.tolist(),
        last_step=last_step,
        mean=_floats(mean),
        high=_floats(high),
        nonfinite=bad.ravel().tolist(),
    )


def layers_of(layouts: Iterable[tuple[str, ...]]) -> list[str]:
    """All layers of the layouts, each once, in order of first sight."""
    return list(dict.fromkeys(layer for layers in layouts for layer in layers))


def _left_to_later_layouts(
    cells: Cells, stream: int, points: dict[int, Points], streams: dict[int, tuple[str, ...]]
) -> Cells:
    """Without what a layout seen later recorded too: the same layer at the same step."""
    gone = np.zeros(cells.mean.shape, bool)
    for later in (number for number in points if number > stream):
        rows = np.flatnonzero(np.isin(streams[stream], streams[later]))
        columns = np.flatnonzero(np.isin(cells.first, points[later][0]))
        gone[np.ix_(rows, columns)] = True
    if not gone.any():
        return cells
    low, mean, high = (np.where(gone, np.float32(np.nan), part) for part in (cells.low, cells.mean, cells.high))
    finite, bad = (np.where(gone, 0, counts) for counts in (cells.finite, cells.bad))
    return replace(cells, low=low, mean=mean, high=high, finite=finite, bad=bad, whole=False)


def _columns(cells: Iterable[Cells], *, buckets: int) -> tuple[Steps, int]:
    """The first step of every column, and the last step of all."""
    parts = [part for part in cells if len(part.first)]
    if not parts:
        return np.empty(0, np.int64), 0
    first, place = np.unique(np.concatenate([part.first for part in parts]), return_inverse=True)
    size = np.zeros(len(first), np.int64)
    np.maximum.at(size, place, np.concatenate([part.size for part in parts]))
    return first[group_starts(size, at_most=buckets)], max(int(part.last.max()) for part in parts)


def _paint(cells: Cells, firsts: Steps, rows: Counts, *, mean: Floats32, high: Floats32, bad: Counts) -> None:
    """Fold a stream's buckets into the heatmap's columns, at its layers' rows."""
    if not len(cells.first):
        return
    column = np.searchsorted(firsts, cells.first, side="right") - 1
    starts = np.flatnonzero(np.append(True, column[1:] != column[:-1])).astype(np.int64)
    folded = fold(cells, starts)
    places = np.ix_(rows, column[starts])
    has_value = folded.finite > 0
    mean[places] = np.where(has_value, folded.mean, mean[places])
    high[places] = np.where(has_value, np.fmax(folded.high, high[places]), high[places])
    bad[places] += folded.bad


def snapshot(connection: Connection, run_id: str, run_number: int, *, rank: int) -> Snapshot | None:
    """See Store.snapshot."""
    catalogue = load_catalogue(connection, run_number)
    streams = catalogue.layer_streams(rank=rank)
    span = newest_steps(connection, run_number, rank=rank, streams=streams) if streams else None
    if span is None:
        return None
    stats = dict.fromkeys(stat for stream, stat in catalogue.series if stream in streams)
    of_stats = gather_recorded(
        connection,
        [
            Wanted(
                run_number=run_number,
                rank=rank,
                stat=stat,
                streams=_streams_with(catalogue, stat, rank=rank),
                layer=None,
                span=span,
            )
            for stat in stats
        ],
    )
    step = max(
        (int(steps[-1]) for points in of_stats.values() for steps, _ in points.values() if len(steps)), default=None
    )
    if step is None:
        return None
    shown = sorted({stream for points in of_stats.values() for stream, (steps, _) in points.items() if step in steps})
    layers = layers_of(streams[stream] for stream in shown)
    values = {
        stat: _floats(_at_step(step, points, streams, layers))
        for stat, points in of_stats.items()
        if any(step in steps for steps, _ in points.values())
    }
    return Snapshot(run_id=run_id, step=step, layers=layers, stats=values)


def _at_step(step: int, points: dict[int, Points], streams: dict[int, tuple[str, ...]], layers: list[str]) -> Floats32:
    values = np.full(len(layers), np.nan, np.float32)
    places = {layer: place for place, layer in enumerate(layers)}
    for stream in sorted(points):
        steps, matrix = points[stream]
        if len(steps) and steps[-1] == step:
            values[[places[layer] for layer in streams[stream]]] = matrix[:, -1]
    return values


def _no_points(*, rows: int) -> Points:
    return np.empty(0, np.int64), np.empty((rows, 0), np.float32)


def _floats(values: Floats32) -> Floats:
    return Floats(np.ascontiguousarray(values, "<f4").tobytes())
