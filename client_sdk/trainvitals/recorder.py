"""The background thread that turns what waits in the outbox into frames in the spool."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from trainvitals.collector.noise import NoiseScale
from trainvitals.frames import histograms, layer_stats, measure_all, metric_points
from trainvitals.notes import Notes
from trainvitals.outbox import Batch, Outbox, Point
from trainvitals.pauses import Pauses
from trainvitals.spool import Kind, Spool, SpoolFull
from trainvitals.system import SystemMeter
from trainvitals.wire.frame import Frame, LayerStats, MetricPoints, encode_frame
from trainvitals.wire.histograms import Histograms

if TYPE_CHECKING:
    from trainvitals.collector.snapshots import Measured, Pending
    from trainvitals.collector.steps import StepCounter

FLUSH_SECONDS: Final = 0.5
MAX_VALUES: Final = 500_000  # of layer stats in one frame: half of what a server takes by default
MAX_LOOKS_BYTES: Final = 32 * 1024 * 1024  # of those that wait, a megabyte each at most
MAX_CELLS: Final = 1_000_000  # of histograms in one frame: as many bytes

T = TypeVar("T")


class Recorder:
    """Takes batches, makes frames, appends them to the spool. ``appended`` is called after each, ``ended`` when the
    thread has done its work; ``tell`` says what went wrong, once. ``steps``: the training's own count."""

    def __init__(
        self,
        outbox: Outbox,
        spool: Spool,
        notes: Notes,
        *,
        writer: int,
        rank: int,
        appended: Callable[[], None],
        ended: Callable[[], None],
        tell: Callable[[str, str], None],
    ) -> None:
        self._outbox = outbox
        self._spool = spool
        self._notes = notes
        self._writer = writer
        self._rank = rank
        self._appended = appended
        self._ended = ended
        self._tell = tell
        self._seq = 0
        self._noise = NoiseScale()
        self._system = SystemMeter()
        self._pauses = Pauses()
        self._newest_step = 0
        self._snapshots = 0  # worked on, and the seconds of this thread that it took
        self._seconds = 0.0
        self._has_begun = False  # with anything: a run that records nothing tells nothing of its machine
        self.steps: StepCounter | None = None  # the training's, if it is known
        self._reported: Counter[str] = Counter()
        self._models: deque[bytes] = deque()
        self._looks: deque[tuple[Callable[[], bytes], int]] = deque()  # each with its size
        self._preflight: bytes | None = None
        self._end: bytes | None = None
        self._start: Callable[[], bytes] | None = None
        self._thread = threading.Thread(target=self._work, name="trainvitals-recorder", daemon=True)

    def start(self, start: Callable[[], bytes]) -> None:
        """Begin to work; ``start`` makes the first record, on the thread."""
        self._start = start
        self._thread.start()

    def introduce(self, model: bytes) -> None:
        """The record that describes the layers of the snapshots from now on."""
        self._models.append(model)

    def report(self, preflight: bytes) -> None:
        """The record of what the newest preflight found."""
        self._preflight = preflight

    def look(self, encoded: Callable[[], bytes], *, size: int) -> None:
        """The record of a look inside the model, of about ``size`` bytes, encoded on the thread; one for which there is
        no room goes."""
        if sum(waiting for _, waiting in list(self._looks)) + size > MAX_LOOKS_BYTES:
            self._outbox.drops["too many looks"] += 1
        else:
            self._looks.append((encoded, size))

    def close(self, end: bytes) -> None:
        """Take no more, and write the last record when all before it is written."""
        self._end = end
        self._outbox.close()

    def join(self, *, seconds: float) -> bool:
        """Wait for the outbox, which is closed, to be worked off; False if time was too short."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def write(self, kind: Kind, payload: bytes) -> None:
        """Append a record."""
        drops = self._outbox.drops
        try:
            trouble = self._spool.append(kind, payload)
        except SpoolFull:
            drops["spool full"] += 1
            self._tell("spool full", f"{self._spool.path} is full: snapshots are dropped until the server is back")
            return
        if trouble is not None:
            self._tell("disk", f"the spool cannot be written ({trouble}): keeping what fits in memory")
        self._appended()

    def _work(self) -> None:
        if self._start is not None:
            self._guarded(lambda start: self.write("start", start()), self._start)
        while not self._outbox.finished:
            self._guarded(self._record, self._outbox.take(seconds=FLUSH_SECONDS))
        self._guarded(self._record, Batch(snapshots=[], points=[]))
        if self._end is not None:
            self._guarded(lambda end: self.write("end", end), self._end)
        self._ended()

    def _guarded(self, work: Callable[[T], None], subject: T) -> None:
        try:
            work(subject)
        except Exception as error:  # noqa: BLE001  # the border: one record may fail, the thread goes on
            self._outbox.drops["error"] += 1
            self._tell("recorder", f"a record could not be made ({type(error).__name__}: {error})")

    def _record(self, batch: Batch) -> None:
        while self._models:
            self.write("model", self._models.popleft())
        while self._looks:
            encoded, _ = self._looks.popleft()
            self._guarded(lambda made: self.write("look", made()), encoded)
        preflight, self._preflight = self._preflight, None
        if preflight is not None:
            self.write("preflight", preflight)
        begun = time.thread_time()
        measured = self._measured(batch.snapshots)
        self._seconds += time.thread_time() - begun
        points = [*batch.points, *self._own_points(measured)]
        self._newest_step = max((self._newest_step, *(point.step for point in points)))
        steps = self.steps
        at = steps.current if steps is not None and steps.driven else None
        if measured or points:
            self._has_begun = True
        system = self._system.look() if self._has_begun else {}
        beside = system | self._pauses.look(at, calls=steps.calls if steps is not None else 0)
        points += [Point(name, self._newest_step, value) for name, value in beside.items()]
        metrics, failed = metric_points(points)
        if failed:
            self._outbox.drops["not readable"] += failed
        begun = time.thread_time()
        for stats in layer_stats(measured, max_values=MAX_VALUES):
            self._write_frame(stats, metrics)
            metrics = []
        if metrics:
            self._write_frame(None, metrics)
        for taken in histograms(measured, max_cells=MAX_CELLS):
            self._write_frame(None, [], taken)
        if measured:
            self._snapshots += len(measured)
            self._seconds += time.thread_time() - begun
            self._outbox.seconds_per_snapshot = self._seconds / self._snapshots
        self._guarded(self._write_note, self._notes)

    def _write_note(self, notes: Notes) -> None:
        if (note := notes.take()) is not None:
            self.write("note", note)

    def _write_frame(
        self, stats: LayerStats | None, metrics: list[MetricPoints], taken: Histograms | None = None
    ) -> None:
        frame = Frame(
            run_id=self._spool.run_id,
            writer=self._writer,
            seq=self._seq,
            rank=self._rank,
            layer_stats=stats,
            metrics=metrics,
            histograms=taken,
        )
        self._seq += 1
        self.write("frame", encode_frame(frame))

    def _measured(self, snapshots: list[Pending]) -> list[Measured]:
        """Empty, and said, where the device failed: the points beside them are not lost with it."""
        found: list[Measured] = []
        self._guarded(lambda few: found.extend(measure_all(few)), snapshots)
        return found

    def _own_points(self, measured: list[Measured]) -> list[Point]:
        norms = [(snapshot.step, snapshot.grad_norm) for snapshot in measured]
        points = [Point("grad_norm", step, norm) for step, norm in norms if norm is not None]
        for snapshot in measured:
            if snapshot.noise is not None and (scale := self._noise.add(snapshot.noise)) is not None:
                points.append(Point("gradient_noise_scale", snapshot.step, scale))
            points += [Point(name, snapshot.step, value) for name, value in snapshot.penalties.items()]
            points += [Point(name, snapshot.step, value) for name, value in snapshot.metrics.items()]
        drops = Counter(self._outbox.drops)  # other threads add to it
        if measured and drops != self._reported:
            self._reported = drops
            points.append(Point("dropped_snapshots", measured[-1].step, float(drops.total())))
        return points
