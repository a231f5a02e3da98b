"""A loss that falls so slowly and so straight that the steps are too short for the time there is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import has_learnt, loss_of_nothing
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import (
    falls_straight,
    faster,
    is_warming_up,
    learning_rate,
    loss_trend,
    recent,
    typical,
    weighted,
)
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

ABOUT = 0.9  # of the loss of knowing nothing


def learning_rate_too_low(
    window: Window,
    *,
    after_steps: int = 80,
    loss_fallen: float = 0.2,
    ratio: float = 3e-4,
    floor: float = 1e-5,
    hopeless: int = 300,
) -> Iterator[Symptom]:
    """After ``after_steps`` steps less than ``loss_fallen`` of the loss is gone, yet it falls, in the second half by at
    least half as much as in the first; and the median update ratio is under ``ratio``, a third of what is healthy.
    Under ``floor`` another rule speaks. Silent while the rate is warmed up, or far under its peak. Worth knowing; a
    warning if at this pace the planned steps will not take a third of the loss, or, where none are planned, ten times
    the ``hopeless`` steps or more that there were will not, and the loss is still about that of knowing nothing.

    Source: CS231n notes, "Babysitting the learning process" (a low rate shows as a straight line; 1e-3 is healthy).
    """
    loss, trend, rate = window.loss, loss_trend(window.loss), learning_rate(window)
    updates, columns = recent(window, "update_ratio", samples=8), weighted(window)
    if loss is None or trend is None or updates is None or not len(columns) or window.step < after_steps:
        return
    if is_warming_up(window) or (rate is not None and len(rate.values) and rate.values[-1] < 0.1 * rate.values.max()):
        return
    moves = typical(updates[:, columns])
    middle = median(moves[np.isfinite(moves)]) if np.isfinite(moves).any() else 0.0
    if not floor <= middle < ratio or not 0 < trend.fallen < loss_fallen or trend.begins_at_zero:
        return
    if has_learnt(window, trend.start) or not falls_straight(loss, trend.noise):
        return
    planned, nothing = window.planned_steps or 10 * window.step, loss_of_nothing(window)
    is_known = window.planned_steps is not None or (
        window.step >= hopeless and nothing is not None and trend.now > ABOUT * nothing
    )
    is_late = is_known and trend.fallen * planned / max(1, window.step) < 1 / 3
    yield Symptom(
        rule="learning_rate_too_low", severity="warning" if is_late else "info",
        summary=f"After {window.step:,} steps {trend.fallen:.1%} of the loss is gone, in a straight line: a step "
        f"changes the weights by {middle:.0e} of their size",
        first_step=0, last_step=window.step,
        evidence=Evidence(
            stat="update_ratio",
            layers=[window.layers[column] for column in columns[:5]],
            value=middle,
            threshold=ratio,
            comparison="<", last_step=window.step,
            numbers={"update ratio": middle, "healthy": "≈ 1e-3", "loss": trend.course},
        ),
        causes=("a learning rate too low", "a loss or gradient scaled down by mistake"),
        advice=(faster(window, middle),),
    )  # fmt: skip
