"""Steps so large, relative to the weights, that they undo what was learnt."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.reading import loss_trend, recent, typical, weighted
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def updates_too_large(window: Window, *, ratio: float = 3e-2, samples: int = 16) -> Iterator[Symptom]:
    """The median update ratio ‖Δw‖/‖w‖ over layers above ``ratio`` for the newest ``samples`` snapshots while the loss
    is not under its start.

    Source: CS231n notes, "Babysitting the learning process" (about 1e-3 is healthy).
    """
    updates, trend, columns = recent(window, "update_ratio", samples=samples), loss_trend(window.loss), weighted(window)
    if updates is None or trend is None or not len(columns):
        return
    if trend.now < trend.start - 3 * trend.noise:
        return  # it learns: large steps are no ill
    each = np.nanmedian(np.where(np.isfinite(updates[:, columns]), updates[:, columns], 0.0), axis=1)
    if float(each.min()) <= ratio:
        return
    per_layer = typical(updates[:, columns])
    layers = tuple(window.layers[column] for column, value in zip(columns, per_layer, strict=True) if value > ratio)
    middle = float(np.median(each))
    yield Symptom(
        rule="updates_too_large",
        severity="critical" if trend.now > trend.start + 3 * trend.noise else "warning",
        summary=f"Each step changes the weights by {middle:.1%} of their size, and the loss is not under its start",
        first_step=int(window.steps[-samples]),
        last_step=window.step,
        layers=layers,
        evidence=Evidence(
            stat="update_ratio",
            layers=list(layers[:5]),
            value=middle,
            threshold=ratio,
            comparison=">",
            first_step=int(window.steps[-samples]),
            last_step=window.step,
            numbers={
                "update ratio": middle,
                "healthy": "≈ 1e-3",
                "loss at the start": trend.start,
                "loss now": trend.now,
            },
        ),
        causes=(
            "a learning rate too high",
            "no warm-up",
            "gradients not clipped, or not divided by accumulation steps",
        ),
        advice=("Divide the learning rate by 10.", "Warm up over the first 1 to 5 % of the steps.", "Clip gradients."),
    )
