"""A learning rate beyond what the network bears: the loss stands above what it had reached while the rate was low."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import MAD_TO_SIGMA, learning_rate, loss_trend
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def learning_rate_too_high(
    window: Window, *, lasting: int = 40, share_of_start: float = 0.1, noises: float = 3.0, grown: float = 1.5
) -> Iterator[Symptom]:
    """The learning rate is ``grown`` times what it was when the loss was best, and the newest ``lasting`` points of the
    loss lie above that best by ``share_of_start`` of the start and ``noises`` times its noise then, in their lower
    quartile too. One-sided; a rate that has fallen since (a restart that settles) does not speak.

    Source: Tuning Playbook (Godbole et al., 2023), on learning rates just beyond the one at which training is stable.
    """
    loss, rate, trend = window.loss, learning_rate(window), loss_trend(window.loss)
    if loss is None or rate is None or trend is None or len(rate.values) < 2 or trend.has_two_signs:
        return
    highest = float(rate.values.max())
    if float(rate.values[-1]) < max(0.99 * highest, grown * float(rate.values.min())):
        return
    finite = np.isfinite(loss.values)
    steps, values = loss.steps[finite], loss.values[finite].astype(np.float64)
    if len(values) < 2 * lasting:
        return
    parts = np.array_split(np.arange(len(values)), max(4, len(values) // (lasting // 2)))
    middles = np.array([median(values[part]) for part in parts])
    best = parts[int(np.argmin(middles))]
    noise = MAD_TO_SIGMA * median(np.abs(np.diff(values[best]))) if len(best) > 1 else trend.noise
    line = float(middles.min()) + max(share_of_start * abs(trend.start), noises * noise)
    then, now = (float(np.interp(at, rate.steps, rate.values)) for at in (steps[best[-1]], steps[-1]))
    newest = values[-lasting:]
    if now < grown * then or now < 0.99 * highest or float(np.quantile(newest, 0.25)) <= line:
        return
    yield Symptom(
        rule="learning_rate_too_high",
        severity="warning",
        summary=f"With a learning rate of {then:.2g} the loss had come to {float(middles.min()):.4g}; with {now:.2g} "
        f"it stands at {median(newest):.4g}",
        first_step=int(steps[best[-1]]),
        last_step=window.step,
        evidence=Evidence(
            metric=window.loss_name,
            value=median(newest),
            threshold=line,
            first_step=int(steps[best[-1]]),
            last_step=window.step,
            numbers={"best": float(middles.min()), "rate then": then, "rate now": now},
        ),
        causes=("the learning rate's peak is beyond what this network bears", "a schedule that rises by mistake"),
        advice=(
            f"Let the rate peak at {then:.1g}, where the loss still fell, or go on with a third of {now:.1g}.",
            "Clip gradients: torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).",
            "Normalise (LayerNorm, BatchNorm), which lets a network bear larger rates.",
        ),
    )
