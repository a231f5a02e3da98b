"""What the evaluator remembers of a run: the newest snapshots whole, the past thinned evenly, bounded whatever
comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np

from trainvitals.wire.frame import Frame, LayerStats, matrix_of
from trainvitals.wire.messages import LayerInfo, ModelInfo
from trainvitals_server.diagnosis.window import LEARNING_RATE, LOSS_NAMES, Floats32, Series, Window
from trainvitals_server.evaluator.rank_points import RankPoints
from trainvitals_server.evaluator.thinning import Thinned

NEWEST_SNAPSHOTS: Final = 64
PAST_SNAPSHOTS: Final = 64
NEWEST_POINTS: Final = 512
PAST_POINTS: Final = 512
MOMENT_SNAPSHOTS: Final = 8  # a moment to judge comes after so many, …
MOMENT_STEPS: Final = 50  # … or after so many steps with metrics
ALWAYS_KEPT: Final = frozenset({*LOSS_NAMES, LEARNING_RATE})
MOST_METRICS: Final = 32
MOST_STATS: Final = 64
MOST_VALUES: Final = 4_000_000  # of the newest snapshots, and of the past
FEWEST_SNAPSHOTS: Final = 16  # which rules need, however large they are
Bools = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


class History:
    """A run's past as rules need it; ``window()`` is the view of it."""

    def __init__(self, run_id: str, *, planned_steps: int | None = None) -> None:
        self.run_id = run_id
        self.planned_steps = planned_steps
        self.attempt = 0
        self._hidden_from: int | None = None  # what older attempts recorded there and after
        self._model = ModelInfo(layers=[])
        self._layers: tuple[str, ...] = ()
        self._snapshots: Thinned[dict[str, Floats32]] = Thinned(newest=NEWEST_SNAPSHOTS, past=PAST_SNAPSHOTS)
        self._metrics: dict[str, Thinned[float]] = {}
        self._ranks = RankPoints()
        self._step = -1
        self._fresh_steps = self._fresh_snapshots = 0

    def describe(self, model: ModelInfo) -> None:
        """Learn what is watched."""
        self._model = model

    def resume(self, attempt: int, step: int, *, forget: bool = True) -> None:
        """A newer attempt goes on from ``step``: ``forget`` what older ones recorded there and after."""
        self.attempt, self._hidden_from = attempt, step
        if not forget:
            return
        self._snapshots.forget_from(step)
        for points in self._metrics.values():
            points.forget_from(step)
        self._ranks.forget_from(step)
        self._step = min(self._step, step - 1)

    def take(self, frame: Frame) -> Iterator[None]:
        """Take a frame in, step by step, and stop at each moment to judge: these depend on what was recorded and not on
        when it arrived, so that a run has the same findings however fast it was."""
        snapshots = _snapshots(frame.layer_stats) if frame.layer_stats is not None else {}
        points: dict[int, list[tuple[str, float]]] = {}
        for metric in frame.metrics:
            for step, value in zip(metric.steps, metric.values.tolist(), strict=True):
                points.setdefault(step, []).append((metric.metric, value))
        layers = tuple(frame.layer_stats.layers) if frame.layer_stats is not None else ()
        for step in sorted(points.keys() | snapshots.keys()):
            if frame.attempt < self.attempt and self._hidden_from is not None and step >= self._hidden_from:
                break
            if step > self._step:
                self._fresh_steps += 1
                self._fresh_snapshots += step in snapshots
            for name, value in points.get(step, ()):
                self.add_point(name, step, value)
            if step in snapshots:
                self.add_snapshot(step, layers, snapshots[step])
            if self._fresh_snapshots >= MOMENT_SNAPSHOTS or self._fresh_steps >= MOMENT_STEPS:
                self._fresh_steps = self._fresh_snapshots = 0
                yield

    def take_of_rank(self, frame: Frame) -> None:
        """Take in what another rank than the first recorded. It makes no moments to judge: these are rank 0's."""
        for metric in frame.metrics:
            for step, value in zip(metric.steps, metric.values.tolist(), strict=True):
                if frame.attempt >= self.attempt or self._hidden_from is None or step < self._hidden_from:
                    self._ranks.add(metric.metric, frame.rank, step, value)

    def add_point_of_rank(self, metric: str, rank: int, step: int, value: float) -> None:
        """Take in one point of another rank."""
        self._ranks.add(metric, rank, step, value)

    def add_point(self, metric: str, step: int, value: float) -> None:
        """Take a metric's point in, if it is one that rules read, or there is room for it."""
        self._step = max(self._step, step)
        if metric not in self._metrics and metric not in ALWAYS_KEPT and len(self._metrics) >= MOST_METRICS:
            return
        known = self._metrics.setdefault(metric, Thinned(newest=NEWEST_POINTS, past=PAST_POINTS))
        known.add(step, value)

    def add_snapshot(self, step: int, layers: tuple[str, ...], stats: dict[str, Floats32]) -> None:
        """Take a snapshot in: stat → float32 [layers]. Other layers than before begin the layer history anew."""
        if layers != self._layers:
            self._layers = layers
            room = max(FEWEST_SNAPSHOTS, MOST_VALUES // max(1, len(layers) * len(stats)))
            self._snapshots = Thinned(newest=min(NEWEST_SNAPSHOTS, room), past=min(PAST_SNAPSHOTS, room))
        known = self._snapshots.get(step) or {}  # one step may come in two frames
        self._snapshots.add(step, dict(list((known | stats).items())[:MOST_STATS]))
        self._step = max(self._step, step)

    @property
    def has_data(self) -> bool:
        """Whether there is anything to judge."""
        return self._step >= 0

    def window(self, *, is_last: bool = False) -> Window:
        """The run as rules see it now. ``is_last``: nothing more is to come, of any rank."""
        own = {name: _series(points) for name, points in self._metrics.items()}
        rows = self._snapshots.items()
        stats = _Stats([snapshot for _, snapshot in rows], layers=len(self._layers))
        info = {layer.name: layer for layer in self._model.layers}
        return Window(
            run_id=self.run_id,
            step=max(0, self._step),
            layers=self._layers,
            steps=np.array([step for step, _ in rows], np.int64),
            stats=stats,
            nonfinite=nonfinite_of(stats, self._layers, info, recorded=stats.recorded),
            metrics={name: self._ranks.mean(name, series, is_last=is_last) for name, series in own.items()},
            ranks={name: found for name, series in own.items() if (found := self._ranks.beside(name, series))},
            info=info,
            optimizers=tuple(self._model.optimizers),
            planned_steps=self.planned_steps,
        )


class _Stats(Mapping[str, Floats32]):
    """Stat → float32 [n, layers], put together when a rule asks for it."""

    def __init__(self, snapshots: list[dict[str, Floats32]], *, layers: int) -> None:
        self._snapshots = snapshots
        self._nothing = np.full(layers, np.nan, np.float32)
        self._names = dict.fromkeys(stat for snapshot in snapshots for stat in snapshot)
        self._made: dict[str, Floats32] = {}

    def __getitem__(self, stat: str) -> Floats32:
        if stat not in self._made:
            if stat not in self._names:
                raise KeyError(stat)
            self._made[stat] = np.stack([snapshot.get(stat, self._nothing) for snapshot in self._snapshots])
        return self._made[stat]

    def recorded(self, stat: str) -> Bools:
        """Which snapshots have the stat at all: bool [n, 1]."""
        return np.array([[stat in snapshot] for snapshot in self._snapshots], bool)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _snapshots(stats: LayerStats) -> dict[int, dict[str, Floats32]]:
    """Step → stat → float32 [layers]."""
    shape = (len(stats.layers), len(stats.steps))
    matrices = {
        part.stat: np.frombuffer(matrix_of(part, layers=shape[0], steps=shape[1]), "<f4").reshape(shape)
        for part in stats.sections
    }
    return {
        step: {stat: matrix[:, place].copy() for stat, matrix in matrices.items()}
        for place, step in enumerate(stats.steps)
    }


def _series(points: Thinned[float]) -> Series:
    items = points.items()
    return Series(
        steps=np.array([step for step, _ in items], np.int64), values=np.array([v for _, v in items], np.float32)
    )


def nonfinite_of(
    stats: Mapping[str, Floats32],
    layers: tuple[str, ...],
    info: dict[str, LayerInfo],
    *,
    recorded: Callable[[str], Bools] = lambda _: np.ones((1, 1), bool),
) -> dict[str, Bools]:
    """Where a value is wrong rather than absent: stat → bool [n, layers].

    NaN also stands for "does not apply" (a layer without parameters) and "no gradient came"; so a gradient is called
    non-finite if it is infinite, or NaN after it was a number, and a weight only where the layer has any. Where a
    snapshot has not ``recorded`` the stat, nothing is wrong.
    """
    found = {}
    if (counts := stats.get("activation_nonfinite")) is not None:
        found["activation"] = counts > 0  # false for NaN
    if (gradients := stats.get("grad_norm")) is not None:
        was_number = np.logical_or.accumulate(np.isfinite(gradients), axis=0)
        lost = np.isnan(gradients) & was_number & recorded("grad_norm")
        found["gradient"] = np.isinf(gradients) | lost
    if (weights := stats.get("weight_norm")) is not None:
        has_weights = np.array([name in info and info[name].parameters > 0 for name in layers], bool)
        found["weight"] = ~np.isfinite(weights) & has_weights & recorded("weight_norm")
    return found


def first_step(frame: Frame) -> int | None:
    """The first step that a frame tells of; None if it tells of none."""
    steps = [min(points.steps) for points in frame.metrics]
    if frame.layer_stats is not None:
        steps.append(frame.layer_stats.steps[0])
    if frame.histograms is not None:
        steps.append(frame.histograms.steps[0])
    return min(steps, default=None)
