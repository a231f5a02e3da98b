"""A learning rate that has run out before the training has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import MAD_TO_SIGMA, learning_rate, loss_trend
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Steps, Window

FEWEST = 6
LEAST_SHARE = 1e-6  # of a rate that is zero


def schedule_ended(
    window: Window, *, ended: float = 1e-3, lasting: float = 0.1, least_steps: int = 40, still_falling: float = 0.01
) -> Iterator[Symptom]:
    """The learning rate is under ``ended`` of its peak since ``lasting`` of the steps so far (and ``least_steps``), and
    either more than a fifth of the planned steps is left, or no plan is known and the loss was still falling when the
    rate went under a tenth of its peak, or under ``ended`` if that is more: by ``still_falling`` of its level and its
    noise over the two thirds before.

    A schedule that ends with the training never speaks: its last thousandth is its last steps. Source: "A Recipe for
    Training Neural Networks" (Karpathy, 2019): do not trust learning rate decay defaults.
    """
    rate, loss, trend = learning_rate(window), window.loss, loss_trend(window.loss)
    if rate is None or loss is None or trend is None or len(rate.values) < 5 or rate.values.max() <= 0:
        return
    share = rate.values.astype(np.float64) / float(rate.values.max())
    if not (share >= ended).any() or share[-1] >= ended:
        return
    begun = _fell_under(ended, rate.steps, share)
    if window.step - begun < max(least_steps, lasting * window.step):
        return
    low, planned = _fell_under(max(0.1, ended), rate.steps, share), window.planned_steps
    if not (_was_falling(loss, low, still_falling) if planned is None else window.step < 0.8 * planned):
        return
    yield Symptom(
        rule="schedule_ended",
        severity="warning",
        summary=f"Since step {begun:,} the learning rate is {share[-1]:.0e} of its peak"
        + (" while the training goes on" if window.planned_steps else ", and the loss was still falling when it fell"),
        first_step=begun,
        last_step=window.step,
        evidence=Evidence(
            metric="lr", value=float(rate.values[-1]), threshold=ended * float(rate.values.max()), comparison="<",
            first_step=begun, last_step=window.step,
            numbers={"peak": float(rate.values.max()), "now": float(rate.values[-1]), "loss now": trend.now},
        ),
        causes=("a schedule counted in epochs that is stepped once a batch", "T_max or total_steps of a shorter run"),
        advice=(
            "Give the schedule the number of its calls: CosineAnnealingLR(optimizer, T_max=epochs * len(loader)).",
            "Or call schedule.step() once an epoch, if it counts epochs.",
        ),
    )  # fmt: skip


def _fell_under(line: float, steps: Steps, share: NDArray[np.float64]) -> int:
    """The step at which the rate, recorded now and then, and under ``line`` now, went under it; it falls by shares."""
    last = int(np.flatnonzero(share >= line)[-1])
    before, after = np.log(np.maximum(share[last : last + 2], LEAST_SHARE))
    way = (before - np.log(line)) / (before - after) if before > after else 1.0  # the line may be under the least share
    return int(steps[last] + min(way, 1.0) * (steps[last + 1] - steps[last]))


def _was_falling(loss: Series, step: int, least: float) -> bool:
    """Whether the loss fell over the two thirds of the run before a step, by ``least`` of its level and its noise."""
    half = (loss.steps <= step) & (loss.steps >= step // 3) & np.isfinite(loss.values)
    values = loss.values[half].astype(np.float64)
    third = len(values) // 3
    if third < FEWEST:
        return False
    first, last = median(values[:third]), median(values[-third:])
    noise = MAD_TO_SIGMA * median(np.abs(np.diff(values))) / np.sqrt(third)
    return bool(first - last > max(least * abs(first), 2 * noise))
