"""Turns frames into live updates, and merges several updates into one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from trainvitals.wire.answers import LiveUpdate
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, matrix_of
from trainvitals.wire.messages import Finding

LIVE_STATS: Final = frozenset({"update_ratio", "grad_norm", "zero_fraction", "activation_std", "activation_mean"})


def update_of(frame: Frame) -> LiveUpdate:
    """What a frame brings. Raises WireError if its data are damaged."""
    metrics = {points.metric: (points.steps, points.values) for points in frame.metrics}
    part = frame.layer_stats
    if part is None or all(section.stat not in LIVE_STATS for section in part.sections):
        return LiveUpdate(seq=0, metrics=metrics)
    shape = (len(part.layers), len(part.steps))
    stats = {}
    for section in part.sections:
        if section.stat in LIVE_STATS:
            matrix = np.frombuffer(matrix_of(section, layers=shape[0], steps=shape[1]), "<f4").reshape(shape)
            stats[section.stat] = Floats(np.ascontiguousarray(matrix.T).tobytes())
    return LiveUpdate(seq=0, metrics=metrics, layer_steps=part.steps, layers=part.layers, stats=stats)


def merged(updates: Sequence[LiveUpdate], *, seq: int, sent_at: float) -> LiveUpdate:
    """One update that says what all of them say, in order; a reset if one is, or if their layers differ."""
    layered = [update for update in updates if update.layer_steps]
    if any(update.reset for update in updates) or any(update.layers != layered[0].layers for update in layered):
        return LiveUpdate(seq=seq, sent_at=sent_at, reset=True)
    findings: dict[str, Finding] = {finding.finding_id: finding for update in updates for finding in update.findings}
    return LiveUpdate(
        seq=seq,
        sent_at=sent_at,
        metrics=_metrics(updates),
        layer_steps=[step for update in layered for step in update.layer_steps],
        layers=layered[0].layers if layered else [],
        stats={stat: _column(layered, stat) for stat in sorted({stat for update in layered for stat in update.stats})},
        findings=list(findings.values()),
        noted=any(update.noted for update in updates),
        looked=any(update.looked for update in updates),
        run=next((update.run for update in reversed(updates) if update.run), None),
    )


def _metrics(updates: Sequence[LiveUpdate]) -> dict[str, tuple[list[int], Floats]]:
    steps: dict[str, list[int]] = {}
    data: dict[str, list[bytes]] = {}
    for update in updates:
        for name, (at, values) in update.metrics.items():
            steps.setdefault(name, []).extend(at)
            data.setdefault(name, []).append(values.data)
    return {name: (steps[name], Floats(b"".join(data[name]))) for name in steps}


def _column(updates: Sequence[LiveUpdate], stat: str) -> Floats:
    pieces = []
    for update in updates:
        values = update.stats.get(stat)
        missing = np.full(len(update.layer_steps) * len(update.layers), np.nan, "<f4")
        pieces.append(missing.tobytes() if values is None else values.data)
    return Floats(b"".join(pieces))
