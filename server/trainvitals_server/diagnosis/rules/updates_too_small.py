"""Steps so small, relative to the weights, that nothing is learnt in the time there is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median, medians
from trainvitals_server.diagnosis.reading import (
    fades,
    is_scheduled,
    loss_trend,
    recent,
    since,
    typical,
    weighted,
)
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

LEFT = 0.1  # of the weights' size, in one step


def updates_too_small(
    window: Window, *, ratio: float = 1e-5, loss_fallen: float = 0.1, samples: int = 12
) -> Iterator[Symptom]:
    """The median update ratio ‖Δw‖/‖w‖ over layers under ``ratio`` (and not zero) in the newest ``samples`` snapshots,
    with gradients alive, not fading over depth, and less than ``loss_fallen`` of the loss gone. Silent in warm-up and
    in a schedule's tail.

    Source: CS231n notes, "Babysitting the learning process" (about 1e-3 is healthy).
    """
    updates, gradients = recent(window, "update_ratio", samples=samples), recent(window, "grad_norm", samples=samples)
    trend, columns = loss_trend(window.loss), weighted(window)
    if updates is None or gradients is None or trend is None or not len(columns):
        return
    every_ratio = typical(updates[:, columns])
    moving = every_ratio[np.isfinite(every_ratio) & (every_ratio > 0)]
    alive = np.mean(np.nan_to_num(typical(gradients[:, columns])) > 0)
    if not len(moving) or alive < 0.5 or trend.fallen > loss_fallen:
        return  # where nothing comes back, no learning rate helps
    middle = median(moving)
    if middle >= ratio or is_scheduled(window, samples=samples) or fades(window, gradients):
        return
    layers = tuple(window.layers[column] for column in columns[np.nan_to_num(every_ratio) < ratio])
    every = window.stats["update_ratio"][:, columns]
    each = medians(np.where(np.isfinite(every), every, 0.0), axis=1)
    if each.max() > LEFT:
        return  # what stays is no longer what was drawn: a long step before is the ill
    begun = since(window, each < ratio)
    yield Symptom(
        rule="updates_too_small",
        severity="warning",
        summary=f"A step changes the weights by {middle:.0e} of their size: at this rate they stay as drawn",
        first_step=begun,
        last_step=window.step,
        layers=layers,
        evidence=Evidence(
            stat="update_ratio",
            layers=list(layers[:5]),
            value=middle,
            threshold=ratio,
            comparison="<",
            first_step=begun,
            last_step=window.step,
            numbers={"update ratio": middle, "healthy": "≈ 1e-3", "loss": trend.course},
        ),
        causes=("a learning rate too low", "a loss or gradient scaled down by mistake", "clipping to almost nothing"),
        advice=(
            "Multiply the learning rate by 10 and compare.",
            "Log the clipping factor; raise max_norm if it is small.",
        ),
    )
