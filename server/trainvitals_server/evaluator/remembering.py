"""Recalls a run from the store, for a server that was started anew or could not keep up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, Protocol, TypeVar

import numpy as np

from trainvitals.wire.answers import Curve, Heatmap, RunDetail
from trainvitals.wire.facts import is_fact
from trainvitals.wire.messages import ModelInfo
from trainvitals_server.diagnosis.window import Floats32
from trainvitals_server.evaluator.history import (
    FIRST_POINTS,
    MOST_METRICS,
    MOST_WITH_LOSSES,
    NEWEST_POINTS,
    PAST_POINTS,
    History,
)
from trainvitals_server.evaluator.lifecycle import Life
from trainvitals_server.evaluator.lineup import Recorded
from trainvitals_server.evaluator.rank_points import MOST_RANKS, is_compared
from trainvitals_server.evaluator.snapshots import MOST_STATS, PAST
from trainvitals_server.store.interface import SeriesNotFound, Span, Store

METRIC_POINTS: Final = NEWEST_POINTS + PAST_POINTS
CLOSER_LOOKS: Final = 4  # each at the newest part of the last: 32 snapshots of 32⁴


class _Stepped(Protocol):
    @property
    def steps(self) -> Sequence[int]: ...


S = TypeVar("S", bound=_Stepped)


def remembered(store: Store, run_id: str) -> tuple[History, Life]:
    """All that the store has of the run, thinned, the newest as it was recorded; and its findings."""
    detail = store.run(run_id)
    history = History(run_id, planned_steps=detail.planned_steps, project=detail.summary.project, muted=detail.muted)
    history.define(detail.notes.metrics)
    history.describe(ModelInfo(layers=detail.layers, optimizers=detail.optimizers, since_step=detail.since_step))
    if detail.summary.last_step is not None:
        _recall(store, history, detail, last=detail.summary.last_step)
    life = Life(run_id)
    life.findings.update({finding.finding_id: finding for finding in store.findings(run_id)})
    if detail.resumed_from is not None:
        history.resume(detail.attempt, detail.resumed_from, forget=False)  # the store hides what was taken back
        life.resume(detail.resumed_from)
    return history, life


def _recall(store: Store, history: History, detail: RunDetail, *, last: int) -> None:
    """Up to ``last``, so that questions asked one after another see the same although more arrives between them."""
    facts = [metric for metric in detail.metrics if is_fact(metric)]
    others = sorted((one for one in detail.metrics if not is_fact(one)), key=lambda one: not history.is_kept(one))
    ranks = range(1, min(detail.summary.ranks, MOST_RANKS))
    points: dict[int, list[tuple[str, float]]] = defaultdict(list)
    looked_for = sum(history.is_kept(metric) for metric in others)
    most = min(max(looked_for, MOST_METRICS), MOST_WITH_LOSSES)
    for metric in [*others[:most], *facts]:
        for step, value in _points(store, history.run_id, metric, rank=0, last=last):
            points[step].append((metric, value))
        for rank in ranks if is_compared(metric, history.definitions) else ():
            for step, value in _points(store, history.run_id, metric, rank=rank, last=last):
                history.add_point_of_rank(metric, rank, step, value)
    history.ranks_recalled(last=last)
    newest = store.snapshot(history.run_id)
    layers = tuple(newest.layers) if newest is not None else ()
    snapshots = _snapshots(store, history.run_id, detail.stats, layers, last=last) if layers else {}
    for step in sorted(points.keys() | snapshots.keys()):
        history.recall(Recorded(step=step, points=points.get(step, ()), layers=layers, snapshot=snapshots.get(step)))


def _snapshots(
    store: Store, run_id: str, stats: Sequence[str], layers: tuple[str, ...], *, last: int
) -> dict[int, dict[str, Floats32]]:
    place = {name: index for index, name in enumerate(layers)}
    snapshots: dict[int, dict[str, Floats32]] = defaultdict(dict)
    for stat in stats[:MOST_STATS]:
        for heatmap in _closer(partial(_heatmap, store, run_id, stat), last=last):
            shape = (len(heatmap.layers), len(heatmap.steps))
            mean = np.frombuffer(heatmap.mean.data, "<f4").reshape(shape)
            is_there = np.isfinite(mean) | (np.array(heatmap.nonfinite).reshape(shape) > 0)
            rows = [row for row, layer in enumerate(heatmap.layers) if layer in place]
            at = [place[heatmap.layers[row]] for row in rows]  # a stat need not be of all layers, nor in their order
            for column, step in enumerate(heatmap.steps):
                if is_there[rows, column].any():
                    values = snapshots[step][stat] = np.full(len(layers), np.nan, np.float32)
                    values[at] = mean[rows, column]
    return snapshots


def _points(store: Store, run_id: str, metric: str, *, rank: int, last: int) -> list[tuple[int, float]]:
    points: dict[int, float] = {}
    first: dict[int, float] = {}
    ask = partial(_curve, store, run_id, metric, rank)
    for curve in _closer(ask, last=last):
        first = first or _first_points(ask, curve)
        points |= _of_curve(curve)
    return sorted((points | first).items())


def _first_points(ask: Callable[[Span], Curve], curve: Curve) -> dict[int, float]:
    """Those that a metric began with, as they were recorded; ``curve``: the whole run's."""
    for _ in range(CLOSER_LOOKS):
        if curve.bucket == 1:
            return dict(list(_of_curve(curve).items())[:FIRST_POINTS])
        curve = ask(Span(first=None, last=curve.last_steps[:FIRST_POINTS][-1]))
    return {}


def _of_curve(curve: Curve) -> dict[int, float]:
    return dict(zip(curve.steps, curve.mean.tolist(), strict=True))


def _curve(store: Store, run_id: str, metric: str, rank: int, span: Span) -> Curve:
    return store.metric_curve(run_id, metric, span=span, points=METRIC_POINTS, rank=rank)


def _heatmap(store: Store, run_id: str, stat: str, span: Span) -> Heatmap:
    return store.heatmap(run_id, stat, span=span, buckets=PAST)


def _closer(ask: Callable[[Span], S], *, last: int) -> Iterator[S]:
    """Answers for the whole run, then for its newest part and that one's, until there is nothing finer to see; none if
    another rank recorded the series."""
    first: int | None = None
    seen: set[int] = set()
    for _ in range(CLOSER_LOOKS):
        try:
            found = ask(Span(first=first, last=last))
        except SeriesNotFound:
            return
        if seen.issuperset(found.steps):
            return
        yield found
        seen.update(found.steps)
        first = found.steps[-2] if len(found.steps) > 1 else found.steps[-1]
