"""A learning rate that has run out before the training has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.reading import learning_rate, loss_trend
from trainvitals_server.diagnosis.schedules import LEAST_SHARE, fell_under, was_falling_before
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def schedule_ended(
    window: Window,
    *,
    ended: float = 1e-3,
    lasting: float = 0.1,
    least_steps: int = 40,
    still_falling: float = 0.01,
    without: float = 0.75,
) -> Iterator[Symptom]:
    """The learning rate is under ``ended`` of its peak since ``lasting`` of the steps so far (and ``least_steps``), and
    more than a fifth of the planned steps was left when it fell so low. Where no plan is known: the loss was still
    falling when the rate went under a tenth of its peak, or under ``ended`` if that is more: by ``still_falling`` of
    its level and its noise over the two thirds before; where that was too soon to tell, since ``without`` of the steps.

    A schedule that ends with the training never speaks: its last thousandth is its last steps. Source: "A Recipe for
    Training Neural Networks" (Karpathy, 2019): do not trust learning rate decay defaults.
    """
    rate, loss, trend = learning_rate(window), window.loss, loss_trend(window.loss)
    if rate is None or loss is None or trend is None or len(rate.values) < 5 or rate.values.max() <= 0:
        return
    share = rate.values.astype(np.float64) / float(rate.values.max())
    if not (share >= ended).any() or share[-1] >= ended:
        return
    begun = fell_under(ended, rate.steps, share)
    since, planned = window.step - begun, window.planned_steps
    was_falling = was_falling_before(loss, fell_under(max(0.1, ended), rate.steps, share), still_falling)
    is_early = since >= without * window.step if was_falling is None else was_falling
    if since < max(least_steps, lasting * window.step) or not (is_early if planned is None else begun < 0.8 * planned):
        return
    yield Symptom(
        rule="schedule_ended",
        severity="warning",
        summary=f"Since step {begun:,} the learning rate is {_words(float(share[-1]))}"
        + (", and the loss was still falling when it fell" if was_falling else " while the training goes on"),
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


def _words(share: float) -> str:
    if share == 0:
        return "zero"
    return f"{share:.0e} of its peak" if share >= LEAST_SHARE else "less than a millionth of its peak"
