"""An imported run as the records that an SDK would have sent of it."""

from __future__ import annotations

import hashlib
import heapq
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as _replaced
from itertools import groupby
from typing import Final

from msgspec.structs import replace

from trainvitals.beginning import beginning
from trainvitals.environment import base36
from trainvitals.importing.gathering import Series
from trainvitals.importing.imported import Imported
from trainvitals.plain import one_line, text
from trainvitals.ranks import Place
from trainvitals.spool import Kind
from trainvitals.version import __version__
from trainvitals.wire import coding
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, MetricPoints, encode_frame
from trainvitals.wire.messages import RunEnd, RunStart
from trainvitals.wire.notes import MetricDefinition, Note

FRAME_POINTS: Final = 4000  # of all metrics: fewer than a frame may have of one
ID_LENGTH: Final = 14  # as the SDK's own
WRITER_BITS: Final = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRun:
    """A run that is ready to be sent. Who imports the same points under the same project and name again has the same
    ``run_id`` and ``writer``, so that the server keeps them once."""

    run_id: str
    writer: int
    start: RunStart
    end: RunEnd
    series: Mapping[str, Series]
    definitions: Mapping[str, MetricDefinition] = field(default_factory=dict)

    def told(self, definitions: Mapping[str, MetricDefinition]) -> ImportedRun:
        """The run whose metrics mean that. What they mean is part of a run as its points are: imported anew with other
        words it is another one."""
        words = [f"{definition.role}={name}" for name, definition in sorted(definitions.items())]
        digest = _digest(self.series, self.start.project, self.start.name, *words)
        run_id, writer = base36(digest, ID_LENGTH), digest % 2**WRITER_BITS
        return _replaced(self, run_id=run_id, writer=writer, definitions=definitions)

    @property
    def points(self) -> int:
        """Of all metrics."""
        return sum(len(one.steps) for one in self.series.values())

    def records(self) -> Iterator[tuple[Kind, bytes]]:
        """The start, what metrics are, frames in the order of their steps, the end."""
        yield "start", coding.encode(self.start)
        if self.definitions:
            yield "note", coding.encode(Note(writer=self.writer, seq=0, metrics=dict(self.definitions)))
        for seq, metrics in enumerate(_parts(self.series)):
            frame = Frame(run_id=self.run_id, writer=self.writer, seq=seq, metrics=metrics)
            yield "frame", encode_frame(frame)
        yield "end", coding.encode(self.end)


def ready(
    imported: Imported, *, source: str, project: str, name: str | None, now: float, say: Callable[[str], None]
) -> ImportedRun:
    """A run for a server or for the rules; ``source``: from where it comes, ``now`` in Unix seconds."""
    series = imported.gathered.series()
    start = beginning(
        project=project,
        name=one_line(name or imported.name or "") or "imported",
        started_at=now if imported.started_at is None else imported.started_at,
        config=imported.config,
        tags=None,
        group=None,
        planned_steps=imported.planned_steps,
        mute=None,
        place=Place(),
        say=say,
    )
    start = replace(
        start, environment={"imported_from": imported.source, "source": text(source), "trainvitals": __version__}
    )
    end = RunEnd(
        status=imported.status,
        ended_at=now if imported.ended_at is None else imported.ended_at,
        last_step=max(one.steps[-1] for one in series.values()),
    )
    digest = _digest(series, start.project, start.name)
    return ImportedRun(
        run_id=base36(digest, ID_LENGTH), writer=digest % 2**WRITER_BITS, start=start, end=end, series=series
    )


def _digest(series: Mapping[str, Series], *words: str) -> int:
    digest = hashlib.sha256("\0".join((*words, "")).encode())
    for metric in sorted(series):
        digest.update(f"{metric}\0{len(series[metric].steps)}\0".encode())
        digest.update(series[metric].steps)
        digest.update(series[metric].values)
    return int.from_bytes(digest.digest(), "big")


def _parts(series: Mapping[str, Series]) -> Iterator[list[MetricPoints]]:
    """The points of each frame: all metrics go on together, for rules judge a run step by step."""
    first = 0
    for beyond in _cuts(series):
        yield [_between(metric, one, first, beyond) for metric, one in series.items() if _has(one, first, beyond)]
        first = beyond


def _cuts(series: Mapping[str, Series]) -> Iterator[int]:
    """The steps before which a new frame begins, and the one after the last."""
    waiting = step = 0
    for step, points in groupby(heapq.merge(*(one.steps for one in series.values()))):
        count = sum(1 for _ in points)
        if waiting and waiting + count > FRAME_POINTS:
            yield step
            waiting = 0
        waiting += count
    yield step + 1


def _has(series: Series, first: int, beyond: int) -> bool:
    place = bisect_left(series.steps, first)
    return place < len(series.steps) and series.steps[place] < beyond


def _between(metric: str, series: Series, first: int, beyond: int) -> MetricPoints:
    start, end = bisect_left(series.steps, first), bisect_left(series.steps, beyond)
    values: array[float] = series.values[start:end]
    return MetricPoints(metric=metric, steps=series.steps[start:end].tolist(), values=Floats.of(values))
