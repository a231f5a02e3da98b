"""Frames that are too large for the server, or for a proxy before it, as two smaller ones."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from msgspec.structs import replace

from trainvitals.wire import coding
from trainvitals.wire.floats import FLOAT_BYTES, Floats
from trainvitals.wire.frame import Frame, LayerStats, MetricPoints, Section, encode_frame, matrix_of, section
from trainvitals.wire.histograms import CELL_BYTES, CELLS, HistogramPart, Histograms, cells_of, part

# A part must have the same number whenever it is made, and no other frame may have it: the lower bits are those of the
# whole, the upper ones its place in the tree of halves, which is 1 for the whole itself.
PLACE_BITS: Final = 32


def halves(payload: bytes) -> list[bytes]:
    """The earlier steps and the later ones; of a single step one half of its stats, metrics and histograms, and the
    other. Empty where nothing can be taken apart."""
    frame = coding.decode(payload, Frame)
    steps = sorted({step for kept in _steps(frame) for step in kept})
    if len(steps) > 1:
        middle = steps[len(steps) // 2]
        parts = [_between(frame, 0, middle), _between(frame, middle, steps[-1] + 1)]
    else:
        series = _series(frame)
        if len(series) < 2:
            return []
        half = len(series) // 2
        parts = [_of(frame, series[:half]), _of(frame, series[half:])]
    return [encode_frame(replace(half, seq=_number(frame.seq, side), checksum=-1)) for side, half in enumerate(parts)]


def _number(seq: int, side: int) -> int:
    place, whole = max(1, seq >> PLACE_BITS), seq % (1 << PLACE_BITS)
    return (2 * place + side) << PLACE_BITS | whole


def _steps(frame: Frame) -> list[list[int]]:
    layered = [kept.steps for kept in (frame.layer_stats, frame.histograms) if kept is not None]
    return layered + [points.steps for points in frame.metrics]


def _series(frame: Frame) -> list[Section | MetricPoints | HistogramPart]:
    """What a frame has of its steps, piece by piece."""
    stats = frame.layer_stats.sections if frame.layer_stats is not None else []
    histograms = frame.histograms.parts if frame.histograms is not None else []
    return [*stats, *frame.metrics, *histograms]


def _of(frame: Frame, series: list[Section | MetricPoints | HistogramPart]) -> Frame:
    sections = [one for one in series if isinstance(one, Section)]
    parts = [one for one in series if isinstance(one, HistogramPart)]
    return replace(
        frame,
        layer_stats=replace(frame.layer_stats, sections=sections) if frame.layer_stats and sections else None,
        metrics=[one for one in series if isinstance(one, MetricPoints)],
        histograms=replace(frame.histograms, parts=parts) if frame.histograms and parts else None,
    )


def _between(frame: Frame, first: int, end: int) -> Frame:
    metrics = [_points(points, first, end) for points in frame.metrics]
    return replace(
        frame,
        layer_stats=None if frame.layer_stats is None else _stats(frame.layer_stats, first, end),
        metrics=[points for points in metrics if points.steps],
        histograms=None if frame.histograms is None else _histograms(frame.histograms, first, end),
    )


def _points(points: MetricPoints, first: int, end: int) -> MetricPoints:
    data = points.values.data
    kept = [place for place, step in enumerate(points.steps) if first <= step < end]
    values = b"".join(data[place * FLOAT_BYTES : (place + 1) * FLOAT_BYTES] for place in kept)
    return replace(points, steps=[points.steps[place] for place in kept], values=Floats(values))


def _stats(stats: LayerStats, first: int, end: int) -> LayerStats | None:
    low, high = bisect_left(stats.steps, first), bisect_left(stats.steps, end)
    if low == high:
        return None
    shape = {"layers": len(stats.layers), "steps": len(stats.steps)}
    sections = [
        section(each.stat, _columns(matrix_of(each, **shape), shape["steps"], low, high, FLOAT_BYTES))
        for each in stats.sections
    ]
    return replace(stats, steps=stats.steps[low:high], sections=sections)


def _histograms(taken: Histograms, first: int, end: int) -> Histograms | None:
    low, high = bisect_left(taken.steps, first), bisect_left(taken.steps, end)
    if low == high:
        return None
    shape = {"layers": len(taken.layers), "steps": len(taken.steps)}
    parts = [
        part(each.kind, _columns(cells_of(each, **shape), shape["steps"], low, high, CELLS * CELL_BYTES))
        for each in taken.parts
    ]
    return replace(taken, steps=taken.steps[low:high], parts=parts)


def _columns(rows: bytes, steps: int, low: int, high: int, item_bytes: int) -> bytes:
    """Columns ``low`` to ``high`` of a matrix with a column for each step."""
    width = steps * item_bytes
    spans = ((row + low * item_bytes, row + high * item_bytes) for row in range(0, len(rows), width))
    return b"".join(rows[start:end] for start, end in spans)
