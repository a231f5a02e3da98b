"""What the evaluator remembers of a run: the newest snapshots whole, the past thinned evenly, bounded whatever
comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np

from trainvitals.wire.definitions import Definitions
from trainvitals.wire.facts import is_fact
from trainvitals.wire.frame import Frame, LayerStats, matrix_of
from trainvitals.wire.messages import LayerInfo, ModelInfo
from trainvitals.wire.notes import MetricDefinition
from trainvitals_server.diagnosis.window import LEARNING_RATE, LOSS_SCALE, SKIPPED_STEPS, Floats32, Series, Window
from trainvitals_server.evaluator.lineup import Lineup, Recorded
from trainvitals_server.evaluator.rank_points import RankPoints, points_held, series_of
from trainvitals_server.evaluator.snapshots import Snapshots
from trainvitals_server.evaluator.thinning import Thinned

NEWEST_POINTS: Final = 512
PAST_POINTS: Final = 512
FIRST_POINTS: Final = 8  # kept for good: what a metric began with is the same however long the run has become
MOMENT_SNAPSHOTS: Final = 6  # a moment to judge comes after so many, …
MOMENT_STEPS: Final = 50  # … or after so many steps with metrics, …
SOONEST_MOMENT: Final = 8  # … earlier while the run is young, that ills of its start are told early: after so many, or
MOMENT_SHARE: Final = 5  # … after a fifth of the steps so far
FAR_BEHIND_STEPS: Final = 200  # when a run is recalled: a rank so far behind may never come
NEVER: Final = 2**62  # a step beyond all steps
ALWAYS_KEPT: Final = frozenset({LEARNING_RATE, LOSS_SCALE, SKIPPED_STEPS})
MOST_METRICS: Final = 32
MOST_WITH_LOSSES: Final = 64  # a pattern may call any number of metrics a loss
FACT_POINTS: Final = 64  # the newest, and as many of the past


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
        self.definitions = Definitions()
        self._model = ModelInfo(layers=[])
        self._info: dict[str, LayerInfo] = {}
        self._snapshots = Snapshots()
        self._metrics: dict[str, Thinned[float]] = {}
        self._series: dict[str, Series] = {}  # of these, until a point comes
        self._others = 0  # metrics that are no facts
        self._ranks = RankPoints()
        self._lineup = Lineup()
        self._step = -1
        self._fresh_steps = self._fresh_snapshots = 0
        self.has_news = True  # since the last moment to judge

    def describe(self, model: ModelInfo) -> None:
        """Learn what is watched."""
        self._model = model
        self._info = {layer.name: layer for layer in model.layers}
        self._snapshots.describe(self._info, since=model.since_step)
        self.has_news = True

    def define(self, metrics: Mapping[str, MetricDefinition]) -> None:
        """Learn what the script says of metrics, beside or in place of what it said before. What was passed over until
        now, for it was one of many, is known from here on."""
        self.definitions = self._ranks.definitions = Definitions({**self.definitions.given, **metrics})
        self.has_news = True

    def resume(self, attempt: int, step: int, *, forget: bool = True) -> None:
        """A newer attempt goes on from ``step``: ``forget`` what older ones recorded there and after."""
        self.attempt, self._hidden_from = attempt, step
        self.has_news = True
        if not forget:
            return
        self._snapshots.forget_from(step)
        for points in self._metrics.values():
            points.forget_from(step)
        self._series.clear()
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
            self.has_news = True
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
            self.has_news = True
            if self._enter(self._lineup.pop()):
                self.has_news = False
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
            if not self._has_room_for(metric):
                return
            of_fact = is_fact(metric)
            self._others += not of_fact
            newest, past = (FACT_POINTS, FACT_POINTS) if of_fact else (NEWEST_POINTS, PAST_POINTS)
            self._metrics[metric] = points_held(newest=newest, past=past, first=FIRST_POINTS)
        self._metrics[metric].add(step, value)
        self._series.pop(metric, None)

    def _has_room_for(self, metric: str) -> bool:
        if self._others < MOST_METRICS or metric in ALWAYS_KEPT or is_fact(metric):
            return True
        return self._others < MOST_WITH_LOSSES and self.definitions.role(metric) is not None

    def add_snapshot(self, step: int, layers: tuple[str, ...], stats: dict[str, Floats32]) -> None:
        """Take a snapshot in: stat → float32 [layers]. Other layers than before begin the layer history anew."""
        self._snapshots.add(step, layers, stats)
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
        for name in self._metrics.keys() - self._series.keys():
            self._series[name] = series_of(self._metrics[name])
        own = {name: self._series[name] for name in self._metrics}
        stats = self._snapshots.stats()
        return Window(
            run_id=self.run_id,
            step=self.step,
            layers=self._snapshots.layers,
            steps=self._snapshots.steps(),
            stats=stats,
            nonfinite=self._snapshots.nonfinite(stats),
            metrics={name: self._ranks.mean(name, series) for name, series in own.items()},
            ranks={name: found for name, series in own.items() if (found := self._ranks.beside(name, series))},
            info=self._info,
            optimizers=tuple(self._model.optimizers),
            planned_steps=self.planned_steps,
            definitions=self.definitions,
        )

    def is_kept(self, metric: str) -> bool:
        """Whether rules look for it by name or role."""
        return metric in ALWAYS_KEPT or is_fact(metric) or self.definitions.role(metric) is not None


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


def first_step(frame: Frame) -> int | None:
    """The first step that a frame tells of; None if it tells of none."""
    steps = [min(points.steps) for points in frame.metrics]
    if frame.layer_stats is not None:
        steps.append(frame.layer_stats.steps[0])
    if frame.histograms is not None:
        steps.append(frame.histograms.steps[0])
    return min(steps, default=None)
