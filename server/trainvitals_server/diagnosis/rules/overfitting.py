"""A validation loss that has turned upwards while the training loss goes on falling."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import MEDIAN_ERROR, loss_trend
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def overfitting(
    window: Window, *, patience: int = 3, risen: float = 0.1, share_of_start: float = 0.1, by_half: float = 0.5
) -> Iterator[Symptom]:
    """The newest ``patience`` evaluations all lie ``risen`` of its best (and ``share_of_start`` of the training loss's
    start, or ``by_half`` of its best and a third of that share) above the best validation loss so far, while the
    training loss is lower, by more than the error of both, than it was at that best and at the start.

    Source: Prechelt, "Early Stopping, but when?", 1998 (generalisation loss over its minimum, with patience); a single
    rise, as other tools report it, is noise.
    """
    validation, loss, trend = window.validation_loss, window.loss, loss_trend(window.loss)
    if validation is None or loss is None or trend is None:
        return
    finite = np.isfinite(validation.values)
    steps, values = validation.steps[finite], validation.values[finite].astype(np.float64)
    if len(values) <= patience:
        return
    best = int(np.argmin(values))
    share = share_of_start * max(abs(trend.start), abs(float(loss.values[0])))
    low, least = abs(float(values[best])), max(by_half * abs(float(values[best])), share / 3)
    line = values[best] + max(risen * low, min(share, least))  # what came down to a tenth may double unseen otherwise
    if len(values) - best <= patience or float(values[-patience:].min()) <= line:
        return
    around = np.isfinite(loss.values) & (np.abs(loss.steps - steps[best]) <= max(10, window.step // 50))
    newest = np.isfinite(loss.values) & (loss.steps >= steps[-1] - max(10, window.step // 50))
    if not around.any() or not newest.any():
        return
    then, now = median(loss.values[around]), median(loss.values[newest])
    error = 2 * MEDIAN_ERROR * trend.noise * float(np.sqrt(1 / around.sum() + 1 / newest.sum()))
    if now >= min(then, trend.start) - error:
        return  # training suffers, too, or swings: another ill
    yield Symptom(
        rule="overfitting",
        severity="warning",
        summary=f"The validation loss was best at step {int(steps[best]):,} ({values[best]:.4g}) and is "
        f"{values[-1]:.4g} now, while the training loss went on from {then:.4g} to {now:.4g}",
        first_step=int(steps[best]),
        last_step=window.step,
        evidence=Evidence(
            metric=window.validation_loss_name, value=float(values[-1]), threshold=float(line),
            first_step=int(steps[best]), last_step=window.step,
            numbers={"best": float(values[best]), "now": float(values[-1]), "training loss": now},
        ),
        causes=("more parameters than the data can tie down", "too little regularisation", "trained for too long"),
        advice=(
            f"Keep the weights of step {int(steps[best]):,}: stop early, on the validation loss.",
            "Augment data, or get more; try weight decay (0.1 with AdamW), dropout, label smoothing, a smaller net.",
        ),
    )  # fmt: skip
