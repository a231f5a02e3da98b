"""Recalls a run from the store, for a server that was started anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from trainvitals.wire.answers import RunDetail
from trainvitals.wire.frame import Frame
from trainvitals.wire.messages import ModelInfo
from trainvitals_server.evaluator.history import NEWEST_POINTS, PAST_POINTS, PAST_SNAPSHOTS, History
from trainvitals_server.evaluator.lifecycle import Life
from trainvitals_server.store.interface import SeriesNotFound, Span, Store

METRIC_POINTS: Final = NEWEST_POINTS + PAST_POINTS
WAITING_FRAMES: Final = 4096


def remembered(store: Store, run_id: str) -> tuple[History, Life, list[Frame]]:
    """The run's history before its waiting frames, its findings, and those frames, which are still to be judged."""
    detail = store.run(run_id)
    waiting = [frame for _, frame in store.frames_since(run_id, rowid=0, limit=WAITING_FRAMES) if frame.rank == 0]
    history = History(run_id, planned_steps=detail.planned_steps)
    history.describe(ModelInfo(layers=detail.layers, optimizers=detail.optimizers))
    before = min((step for frame in waiting for step in _steps(frame)), default=None)
    if before != 0:
        _recall(store, history, detail, span=Span(last=None if before is None else before - 1))
    life = Life(run_id)
    life.findings.update({finding.finding_id: finding for finding in store.findings(run_id)})
    return history, life, waiting


def _steps(frame: Frame) -> Sequence[int]:
    return [*(frame.layer_stats.steps if frame.layer_stats else ()), *(s for part in frame.metrics for s in part.steps)]


def _recall(store: Store, history: History, detail: RunDetail, *, span: Span) -> None:
    for metric in detail.metrics:
        _recall_metric(store, history, metric, span)
    snapshots: dict[int, dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]] = {}
    for stat in detail.stats:
        heatmap = store.heatmap(history.run_id, stat, span=span, buckets=PAST_SNAPSHOTS)
        matrix = np.frombuffer(heatmap.mean.data, "<f4").reshape(len(heatmap.layers), len(heatmap.steps))
        for place, step in enumerate(heatmap.steps):
            snapshots.setdefault(step, {})[stat] = matrix[:, place].copy()
    for step in sorted(snapshots):
        history.add_snapshot(step, tuple(detail.recorded_layers), snapshots[step])


def _recall_metric(store: Store, history: History, metric: str, span: Span) -> None:
    try:
        curve = store.metric_curve(history.run_id, metric, span=span, points=METRIC_POINTS)
    except SeriesNotFound:
        return  # of another rank
    for step, value in zip(curve.steps, curve.mean.tolist(), strict=True):
        history.add_point(metric, step, value)
