"""Frames for the store's tests, and what a series should look like, computed a second time in plain Python."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, LayerStats, MetricPoints, encode_frame, sealed, section
from trainvitals.wire.messages import RunStart
from trainvitals_server.store.interface import ReceivedFrame, Span, Store

RUN = "run-a"
LAYERS = ("stem", "body.0", "body.1")
WHOLE = Span()


def start(store: Store, run_id: str = RUN, **changes: object) -> None:
    settings = {"project": "tests", "name": "a run", "started_at": 1000.0} | changes
    store.start_run(run_id, RunStart(**settings), now=1000.0)  # type: ignore[arg-type]  # the fields are mixed


def layer_frame(
    seq: int,
    steps: Sequence[int],
    values: NDArray[np.float32],
    *,
    layers: Sequence[str] = LAYERS,
    stat: str = "grad_norm",
    attempt: int = 0,
    rank: int = 0,
    run_id: str = RUN,
    writer: int = 1,
) -> ReceivedFrame:
    """A frame of one stat: ``values`` float32 [layers, steps]."""
    part = section(stat, np.ascontiguousarray(values, "<f4").tobytes())
    stats = LayerStats(steps=list(steps), layers=list(layers), sections=[part])
    return received(Frame(run_id=run_id, writer=writer, seq=seq, rank=rank, attempt=attempt, layer_stats=stats))


def metric_frame(
    seq: int,
    steps: Sequence[int],
    values: Iterable[float],
    *,
    metric: str = "loss",
    attempt: int = 0,
    run_id: str = RUN,
    writer: int = 2,
) -> ReceivedFrame:
    points = MetricPoints(metric=metric, steps=list(steps), values=Floats.of(values))
    return received(Frame(run_id=run_id, writer=writer, seq=seq, attempt=attempt, metrics=[points]))


def received(frame: Frame, *, received_at: float = 1001.0) -> ReceivedFrame:
    frame = sealed(frame)
    return ReceivedFrame(frame=frame, payload=encode_frame(frame), received_at=received_at)


@dataclass
class Truth:
    """What was sent, in order of arrival: (attempt, step) → value of each layer."""

    points: dict[tuple[int, int], NDArray[np.float32]] = field(default_factory=dict)

    def add(self, steps: Sequence[int], values: NDArray[np.float32], *, attempt: int = 0) -> None:
        for place, step in enumerate(steps):
            self.points[attempt, step] = values[:, place]

    def visible(self) -> tuple[list[int], NDArray[np.float32]]:
        """Ascending steps and float32 [layers, steps] that a reader should see."""
        shown = {}
        for attempt, step in self.points:
            newer = [other_step for other, other_step in self.points if other > attempt]
            if not newer or step < min(newer):
                shown[step] = self.points[attempt, step]
        steps = sorted(shown)
        return steps, np.stack([shown[step] for step in steps], axis=1)


def random_values(rng: np.random.Generator, columns: int, *, rows: int = len(LAYERS)) -> NDArray[np.float32]:
    """Float32 [rows, columns], some of them NaN or infinite."""
    values = rng.standard_normal((rows, columns)).astype(np.float32)
    odd = rng.random(values.shape) < 0.05
    values[odd] = rng.choice(np.array([np.nan, np.inf, -np.inf], np.float32), int(odd.sum()))
    return values


def floats(values: Floats) -> NDArray[np.float32]:
    return np.frombuffer(values.data, "<f4")


def merge_all(store: Store) -> int:
    """How many chunks were written."""
    written = 0
    while chunks := store.merge(force=True):
        written += chunks
    return written
