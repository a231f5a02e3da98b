"""Recalls a run from the store, for a server that was started anew."""

from __future__ import annotations

from typing import Final

import numpy as np

from trainvitals.wire.messages import ModelInfo
from trainvitals_server.evaluator.history import NEWEST_POINTS, PAST_POINTS, PAST_SNAPSHOTS, History
from trainvitals_server.evaluator.lifecycle import Life
from trainvitals_server.store.interface import SeriesNotFound, Span, Store

METRIC_POINTS: Final = NEWEST_POINTS + PAST_POINTS


def remembered(store: Store, run_id: str) -> tuple[History, Life]:
    """The run's history and findings as far as the store keeps them, its newest frames not included twice."""
    detail = store.run(run_id)
    history = History(run_id, planned_steps=detail.planned_steps)
    history.describe(ModelInfo(layers=detail.layers, optimizers=detail.optimizers))
    for metric in detail.metrics:
        _recall_metric(store, history, metric)
    snapshots: dict[int, dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]] = {}
    for stat in detail.stats:
        heatmap = store.heatmap(run_id, stat, span=Span(), buckets=PAST_SNAPSHOTS)
        matrix = np.frombuffer(heatmap.mean.data, "<f4").reshape(len(heatmap.layers), len(heatmap.steps))
        for place, step in enumerate(heatmap.steps):
            snapshots.setdefault(step, {})[stat] = matrix[:, place].copy()
    for step in sorted(snapshots):
        history.add_snapshot(step, tuple(detail.recorded_layers), snapshots[step])
    for _, frame in store.frames_since(run_id, rowid=0):
        if frame.rank == 0:
            history.add(frame)
    life = Life(run_id)
    life.findings.update({finding.finding_id: finding for finding in store.findings(run_id)})
    return history, life


def _recall_metric(store: Store, history: History, metric: str) -> None:
    try:
        curve = store.metric_curve(history.run_id, metric, span=Span(), points=METRIC_POINTS)
    except SeriesNotFound:
        return  # of another rank
    for step, value in zip(curve.steps, curve.mean.tolist(), strict=True):
        history.add_point(metric, step, value)
