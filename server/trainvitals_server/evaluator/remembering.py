"""Recalls a run from the store, for a server that was started anew or could not keep up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol, TypeVar

import numpy as np

from trainvitals.wire.answers import Heatmap, RunDetail
from trainvitals.wire.messages import ModelInfo
from trainvitals_server.diagnosis.window import Floats32
from trainvitals_server.evaluator.history import (
    ALWAYS_KEPT,
    MOST_METRICS,
    NEWEST_POINTS,
    PAST_POINTS,
    PAST_SNAPSHOTS,
    History,
)
from trainvitals_server.evaluator.lifecycle import Life
from trainvitals_server.store.interface import SeriesNotFound, Span, Store

METRIC_POINTS: Final = NEWEST_POINTS + PAST_POINTS
CLOSER_LOOKS: Final = 4  # each at the newest part of the last: 64 snapshots of 64⁴


class _Stepped(Protocol):
    @property
    def steps(self) -> Sequence[int]: ...


S = TypeVar("S", bound=_Stepped)


def remembered(store: Store, run_id: str) -> tuple[History, Life]:
    """All that the store has of the run, thinned, the newest as it was recorded; and its findings."""
    detail = store.run(run_id)
    history = History(run_id, planned_steps=detail.planned_steps)
    history.describe(ModelInfo(layers=detail.layers, optimizers=detail.optimizers))
    known = sorted(detail.metrics, key=lambda metric: metric not in ALWAYS_KEPT)
    for metric in known[:MOST_METRICS]:
        _recall_metric(store, history, metric)
    _recall_snapshots(store, history, detail)
    life = Life(run_id)
    life.findings.update({finding.finding_id: finding for finding in store.findings(run_id)})
    return history, life


def _recall_metric(store: Store, history: History, metric: str) -> None:
    points: dict[int, float] = {}
    for curve in _closer(lambda span: store.metric_curve(history.run_id, metric, span=span, points=METRIC_POINTS)):
        points |= dict(zip(curve.steps, curve.mean.tolist(), strict=True))
    for step in sorted(points):
        history.add_point(metric, step, points[step])


def _recall_snapshots(store: Store, history: History, detail: RunDetail) -> None:
    names = tuple(detail.recorded_layers)
    place = {name: index for index, name in enumerate(names)}
    snapshots: dict[int, dict[str, Floats32]] = defaultdict(dict)
    for stat in detail.stats:
        for heatmap in _heatmaps(store, history.run_id, stat):
            matrix = np.frombuffer(heatmap.mean.data, "<f4").reshape(len(heatmap.layers), len(heatmap.steps))
            rows = [place[layer] for layer in heatmap.layers]  # a stat need not be of all layers, nor in their order
            for column, step in enumerate(heatmap.steps):
                values = snapshots[step][stat] = np.full(len(names), np.nan, np.float32)
                values[rows] = matrix[:, column]
    for step in sorted(snapshots):
        history.add_snapshot(step, names, snapshots[step])


def _heatmaps(store: Store, run_id: str, stat: str) -> Iterator[Heatmap]:
    return _closer(lambda span: store.heatmap(run_id, stat, span=span, buckets=PAST_SNAPSHOTS))


def _closer(ask: Callable[[Span], S]) -> Iterator[S]:
    """Answers for the whole run, then for its newest part and that one's, until there is nothing finer to see; none if
    another rank recorded the series."""
    first: int | None = None
    seen: set[int] = set()
    for _ in range(CLOSER_LOOKS):
        try:
            found = ask(Span(first=first))
        except SeriesNotFound:
            return
        if seen.issuperset(found.steps):
            return
        yield found
        seen.update(found.steps)
        first = found.steps[-2] if len(found.steps) > 1 else found.steps[-1]
