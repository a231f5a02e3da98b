"""The background thread that turns what waits in the outbox into frames in the spool."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from trainvitals.frames import layer_stats, measure_all, metric_points
from trainvitals.outbox import Batch, Outbox, Point
from trainvitals.spool import Kind, Spool, SpoolFull
from trainvitals.wire.frame import Frame, encode_frame

if TYPE_CHECKING:
    from trainvitals.snapshots import Measured

FLUSH_SECONDS: Final = 0.5
MAX_HELD_BYTES: Final = 64 * 1024 * 1024  # in memory, while the disk does not take more

T = TypeVar("T")


class Recorder:
    """Takes batches, makes frames, appends them to the spool. ``appended`` is called after each; ``tell`` says what
    went wrong, once."""

    def __init__(
        self,
        outbox: Outbox,
        spool: Spool,
        *,
        writer: int,
        rank: int,
        appended: Callable[[], None],
        tell: Callable[[str, str], None],
    ) -> None:
        self._outbox = outbox
        self._spool = spool
        self._writer = writer
        self._rank = rank
        self._appended = appended
        self._tell = tell
        self._seq = 0
        self._layers: list[str] = []
        self._held: deque[tuple[Kind, bytes]] = deque()
        self._held_bytes = 0
        self._reported: Counter[str] = Counter()
        self._model: tuple[list[str], bytes] | None = None
        self._end: bytes | None = None
        self._start: Callable[[], bytes] | None = None
        self._thread = threading.Thread(target=self._work, name="trainvitals-recorder", daemon=True)

    def start(self, start: Callable[[], bytes]) -> None:
        """Begin to work; ``start`` makes the first record, on the thread."""
        self._start = start
        self._thread.start()

    def introduce(self, layers: list[str], model: bytes) -> None:
        """The layers that the snapshots from now on have, and the record that describes them."""
        self._model = (layers, model)

    def close(self, end: bytes) -> None:
        """Take no more, and write the last record when all before it is written."""
        self._end = end
        self._outbox.close()

    def join(self, *, seconds: float) -> bool:
        """Wait for the outbox, which is closed, to be worked off; False if time was too short."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def write(self, kind: Kind, payload: bytes) -> None:
        """Append a record behind those that the disk has not taken yet."""
        self._held.append((kind, payload))
        self._held_bytes += len(payload)
        while self._held:
            oldest, data = self._held[0]
            try:
                self._spool.append(oldest, data)
            except SpoolFull:
                self._drop_oldest("spool full")
                self._tell("spool full", f"{self._spool.path} is full: snapshots are dropped until the server is back")
                continue
            except OSError as error:
                self._tell("disk", f"the spool cannot be written ({error}): keeping what fits in memory")
                while self._held_bytes > MAX_HELD_BYTES:
                    self._drop_oldest("disk full")
                return
            self._held.popleft()
            self._held_bytes -= len(data)
            self._appended()

    def _drop_oldest(self, reason: str) -> None:
        _, data = self._held.popleft()
        self._held_bytes -= len(data)
        self._outbox.drops[reason] += 1

    def _work(self) -> None:
        if self._start is not None:
            self._guarded(lambda start: self.write("start", start()), self._start)
        while not self._outbox.finished:
            self._guarded(self._record, self._outbox.take(seconds=FLUSH_SECONDS))
        self._guarded(self._record, Batch(snapshots=[], points=[]))
        if self._end is not None:
            self._guarded(lambda end: self.write("end", end), self._end)

    def _guarded(self, work: Callable[[T], None], subject: T) -> None:
        try:
            work(subject)
        except Exception as error:  # noqa: BLE001  # the border: one record may fail, the thread goes on
            self._outbox.drops["error"] += 1
            self._tell("recorder", f"a record could not be made ({type(error).__name__}: {error})")

    def _record(self, batch: Batch) -> None:
        model, self._model = self._model, None
        if model is not None:
            self._layers, payload = model
            self.write("model", payload)
        if not batch.snapshots and not batch.points:
            return
        measured = measure_all(batch.snapshots)
        points = [*batch.points, *self._own_points(measured)]
        frame = Frame(
            run_id=self._spool.run_id,
            writer=self._writer,
            seq=self._seq,
            rank=self._rank,
            layer_stats=layer_stats(measured, self._layers) if measured else None,
            metrics=metric_points(points),
        )
        self._seq += 1
        self.write("frame", encode_frame(frame))

    def _own_points(self, measured: list[Measured]) -> list[Point]:
        points = [Point("grad_norm", snapshot.step, snapshot.grad_norm) for snapshot in measured]
        drops = self._outbox.drops
        if measured and drops != self._reported:
            self._reported = Counter(drops)
            points.append(Point("dropped_snapshots", measured[-1].step, float(drops.total())))
        return points
