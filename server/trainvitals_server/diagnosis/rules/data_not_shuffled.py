"""Batches of one class each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import classifies, fact, middle
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def data_not_shuffled(
    window: Window, *, share: float = 0.9, batches: float = 0.6, samples: int = 10, fewest_rows: int = 8
) -> Iterator[Symptom]:
    """In at least ``batches`` of all batches that were looked at, ``samples`` at least, one label has ``share`` of the
    rows, and these labels differ between batches: classes come one after another.

    Labels alone are judged, so that a loss that is periodic for other reasons is no matter. Source: Bengio, "Practical
    recommendations for gradient-based training of deep architectures", 2012, section 3.1.
    """
    shares, labels, rows = fact(window, "label_majority"), fact(window, "commonest_label"), middle(window, "rows")
    if shares is None or labels is None or rows is None or rows < fewest_rows or not classifies(window):
        return
    if len(shares.values) < samples or len(shares.values) != len(labels.values):
        return
    is_pure = shares.values >= share
    seen = np.unique(labels.values[is_pure])
    if is_pure.mean() < batches or len(seen) < 2:
        return
    yield Symptom(
        rule="data_not_shuffled",
        severity="warning",
        summary=f"Data come sorted: {is_pure.mean():.0%} of the batches hold one class nearly alone, {len(seen)} "
        "classes in turn",
        first_step=int(shares.steps[0]),
        last_step=window.step,
        evidence=Evidence(
            metric="facts/label_majority",
            value=median(shares.values),
            threshold=share,
            first_step=int(shares.steps[0]),
            last_step=window.step,
            numbers={
                "typical share of a batch's commonest label": f"{median(shares.values):.0%}",
                "labels that were the commonest": len(seen),
                "batches that were looked at": len(shares.values),
            },
        ),
        causes=(
            "a loader that does not shuffle, over files that are sorted by class",
            "a shuffle buffer that is small against a class",
        ),
        advice=(
            "DataLoader(dataset, shuffle=True); with a sampler: RandomSampler, or sampler.set_epoch(epoch).",
            "Streams: shuffle the list of shards, and use a buffer larger than a class.",
        ),
    )
