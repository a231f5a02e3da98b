"""What the evaluator remembers of a run: the newest snapshots whole, the past thinned evenly, bounded whatever
comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

import numpy as np

from trainvitals.wire.facts import is_fact
from trainvitals.wire.frame import Frame, LayerStats, matrix_of
from trainvitals.wire.messages import LayerInfo, ModelInfo
from trainvitals_server.diagnosis.window import (
    LEARNING_RATE,
    LOSS_NAMES,
    LOSS_SCALE,
    SKIPPED_STEPS,
    VALIDATION_LOSS_NAMES,
    Floats32,
    Window,
)
from trainvitals_server.evaluator.lineup import Lineup, Recorded
from trainvitals_server.evaluator.rank_points import RankPoints, series_of
from trainvitals_server.evaluator.thinning import Thinned

NEWEST_SNAPSHOTS: Final = 48
PAST_SNAPSHOTS: Final = 32
NEWEST_POINTS: Final = 512
PAST_POINTS: Final = 512
MOMENT_SNAPSHOTS: Final = 8  # a moment to judge comes after so many, …
MOMENT_STEPS: Final = 50  # … or after so many steps with metrics, …
SOONEST_MOMENT: Final = 10  # … earlier while the run is young, that ills of its start are told early: after so many, or
MOMENT_SHARE: Final = 5  # … after a fifth of the steps so far
FAR_BEHIND_STEPS: Final = 200  # when a run is recalled: a rank so far behind may never come
NEVER: Final = 2**62  # a step beyond all steps
ALWAYS_KEPT: Final = frozenset({*LOSS_NAMES, *VALIDATION_LOSS_NAMES, LEARNING_RATE, LOSS_SCALE, SKIPPED_STEPS})
MOST_METRICS: Final = 32
FACT_POINTS: Final = 64  # the newest, and as many of the past
MOST_STATS: Final = 64
MOST_VALUES: Final = 4_000_000  # of the newest snapshots, and of the past
FEWEST_SNAPSHOTS: Final = 16  # which rules need, however large they are
Bools = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


class History:
    """A run's past as rules need it; ``window()`` is the view of it. Of its ``project`` come the rules, and ``muted``
    are those that its script wants silent."""

    def __init__(
        self, run_id: str, *, planned_steps: int | None = None, project: str = "", muted: Iterable[str] = ()
    ) -> None:
        self.run_id = run_id
        self.project = project
        self.muted = frozenset(muted)
        self.planned_steps = planned_steps
        self.attempt = 0
        self._hidden_from: int | None = None  # what older attempts recorded there and after
        self._model = ModelInfo(layers=[])
        self._layers: tuple[str, ...] = ()
        self._snapshots: Thinned[dict[str, Floats32]] = Thinned(newest=NEWEST_SNAPSHOTS, past=PAST_SNAPSHOTS)
        self._metrics: dict[str, Thinned[float]] = {}
        self._others = 0  # metrics that are no facts
        self._ranks = RankPoints()
        self._lineup = Lineup()
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
        self._lineup.forget_from(step)
        self._step = min(self._step, step - 1)

    def take(self, frame: Frame) -> Iterator[None]:
        """Take a frame in, step by step, and stop at each moment to judge: these depend on what was recorded and not on
        when it arrived, so that a run has the same findings however fast it was. Rank 0's steps make these moments;
        they wait until the other ranks that tell of their loss have come as far, or are too far behind."""
        hidden_from = self._hidden_from if frame.attempt < self.attempt else None
        steps = [one for one in _recorded(frame) if hidden_from is None or one.step < hidden_from]
        if frame.rank:
            for one in steps:
                for metric, value in one.points:
                    self._ranks.add(metric, frame.rank, one.step, value)
            self._ranks.catch_up(self._step)
        else:
            self._lineup.put(steps, is_frame=True)
        yield from self._go_on()

    def finish(self) -> Iterator[None]:
        """Nothing more will come: take in what waited for other ranks, and stop as ``take`` does."""
        self._ranks.leave_behind(before=NEVER)
        yield from self._go_on()

    def _go_on(self) -> Iterator[None]:
        while (step := self._lineup.first_step) is not None:
            if self._lineup.is_long:
                self._ranks.leave_behind(before=step)
            if step > max(self._step, self._ranks.horizon()):
                return
            if self._enter(self._lineup.pop()):
                yield

    def _enter(self, recorded: Recorded) -> bool:
        """Take a step in; whether a moment to judge has come."""
        step, snapshot = recorded.step, recorded.snapshot
        if step > self._step:
            self._fresh_steps += 1
            self._fresh_snapshots += snapshot is not None
        self._ranks.advance(step)
        for name, value in recorded.points:
            self.add_point(name, step, value)
        if snapshot is not None:
            self.add_snapshot(step, recorded.layers, snapshot)
        steps = min(MOMENT_STEPS, max(SOONEST_MOMENT, step // MOMENT_SHARE))
        if self._fresh_snapshots < MOMENT_SNAPSHOTS and self._fresh_steps < steps:
            return False
        self._fresh_steps = self._fresh_snapshots = 0
        return True

    def recall(self, recorded: Recorded) -> None:
        """Take in a step that the store recalls, or let it wait for other ranks, whose points were recalled before."""
        if recorded.step > self._ranks.horizon():
            self._lineup.put([recorded])
        else:
            self._enter(recorded)
        self._fresh_steps = self._fresh_snapshots = 0

    def ranks_recalled(self, *, last: int) -> None:
        """All points of other ranks are recalled; those that are far behind step ``last`` are not waited for."""
        self._ranks.leave_behind(before=last - FAR_BEHIND_STEPS)

    def add_point_of_rank(self, metric: str, rank: int, step: int, value: float) -> None:
        """Take in one point of another rank."""
        self._ranks.add(metric, rank, step, value)

    def add_point(self, metric: str, step: int, value: float) -> None:
        """Take a metric's point in, if it is one that rules read, or there is room for it."""
        self._step = max(self._step, step)
        if metric not in self._metrics:
            if not is_kept(metric) and self._others >= MOST_METRICS:
                return
            of_fact = is_fact(metric)
            self._others += not of_fact
            newest, past = (FACT_POINTS, FACT_POINTS) if of_fact else (NEWEST_POINTS, PAST_POINTS)
            self._metrics[metric] = Thinned(newest=newest, past=past)
        self._metrics[metric].add(step, value)

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

    @property
    def step(self) -> int:
        """How far the run has come."""
        return max(0, self._step)

    def window(self) -> Window:
        """The run as rules see it now."""
        own = {name: series_of(points) for name, points in self._metrics.items()}
        rows = self._snapshots.items()
        stats = _Stats([snapshot for _, snapshot in rows], layers=len(self._layers))
        info = {layer.name: layer for layer in self._model.layers}
        return Window(
            run_id=self.run_id,
            step=self.step,
            layers=self._layers,
            steps=np.array([step for step, _ in rows], np.int64),
            stats=stats,
            nonfinite=nonfinite_of(stats, self._layers, info, recorded=stats.recorded),
            metrics={name: self._ranks.mean(name, series) for name, series in own.items()},
            ranks={name: found for name, series in own.items() if (found := self._ranks.beside(name, series))},
            info=info,
            optimizers=tuple(self._model.optimizers),
            planned_steps=self.planned_steps,
        )


def is_kept(metric: str) -> bool:
    """Whether rules read it, however many others there are."""
    return metric in ALWAYS_KEPT or is_fact(metric)


class _Stats(Mapping[str, Floats32]):
    """Stat → float32 [n, layers], put together when a rule asks for it."""

    def __init__(self, snapshots: list[dict[str, Floats32]], *, layers: int) -> None:
        self._snapshots = snapshots
        self._nothing = np.full(layers, np.nan, np.float32)
        self._names = dict.fromkeys(chain.from_iterable(snapshots))
        self._made: dict[str, Floats32] = {}

    def __getitem__(self, stat: str) -> Floats32:
        if stat not in self._made:
            if stat not in self._names:
                raise KeyError(stat)
            self._made[stat] = np.array([snapshot.get(stat, self._nothing) for snapshot in self._snapshots])
        return self._made[stat]

    def recorded(self, stat: str) -> Bools:
        """Which snapshots have the stat at all: bool [n, 1]."""
        return np.array([[stat in snapshot] for snapshot in self._snapshots], bool)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _recorded(frame: Frame) -> list[Recorded]:
    """The frame's steps, ascending."""
    stats = frame.layer_stats
    snapshots = _snapshots(stats) if stats is not None else {}
    layers = tuple(stats.layers) if stats is not None else ()
    points: dict[int, list[tuple[str, float]]] = {}
    for metric in frame.metrics:
        for step, value in zip(metric.steps, metric.values.tolist(), strict=True):
            points.setdefault(step, []).append((metric.metric, value))
    return [
        Recorded(step=step, points=points.get(step, ()), layers=layers, snapshot=snapshots.get(step))
        for step in sorted(points.keys() | snapshots.keys())
    ]


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


def nonfinite_of(
    stats: Mapping[str, Floats32],
    layers: tuple[str, ...],
    info: dict[str, LayerInfo],
    *,
    recorded: Callable[[str], Bools] = lambda _: np.ones((1, 1), bool),
) -> dict[str, Bools]:
    """Where a value is wrong rather than absent: stat → bool [n, layers].

    NaN also stands for "does not apply" (a layer without parameters) and "no gradient came"; so a gradient is called
    non-finite if it is infinite, or NaN after it was a number while the step left no number either: a layer that is
    skipped or frozen for a while has no gradient, and a sound update. A weight is only where the layer has any. Where
    a snapshot has not ``recorded`` the stat, nothing is wrong.
    """
    found = {}
    if (counts := stats.get("activation_nonfinite")) is not None:
        found["activation"] = counts > 0  # false for NaN
    if (gradients := stats.get("grad_norm")) is not None:
        was_number = np.logical_or.accumulate(np.isfinite(gradients), axis=0)
        lost = np.isnan(gradients) & was_number & recorded("grad_norm")
        if (updates := stats.get("update_rms")) is not None:
            lost &= ~np.isfinite(updates)  # the weights are well: no gradient came
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
