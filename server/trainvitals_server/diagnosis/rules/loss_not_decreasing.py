"""A loss that stays where it began."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import has_learnt, is_game
from trainvitals_server.diagnosis.reading import is_warming_up, loss_trend
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

SETTLES = 0.05  # share of its start that a loss loses when it settles at chance


def loss_not_decreasing(
    window: Window, *, after_steps: int = 100, fallen: float = 0.02, noises: float = 2.0, patience: float = 3.0
) -> Iterator[Symptom]:
    """After ``after_steps`` steps (``patience`` times as many for a warning), neither the loss now nor its best tenth
    is under the start by more than ``fallen`` of it, nor by ``noises`` times the noise between neighbouring steps; or
    under it by a twentieth at the most, none of it since the second tenth of the run. No warning of what may be a game,
    and no word of a classifier that began under a fifth of chance.

    Window medians are compared, never single batches. Source: "A Recipe for Training Neural Networks" (Karpathy, 2019);
    the rule of this name in Amazon SageMaker Debugger compares single steps, which alarms on noise.
    """
    loss, trend = window.loss, loss_trend(window.loss)
    if loss is None or trend is None or window.step < after_steps or is_warming_up(window):
        return
    if trend.begins_at_zero or trend.has_two_signs or has_learnt(window, trend.start):
        return
    gained = trend.start - min(trend.now, trend.lowest)
    is_still = gained <= fallen * abs(trend.start) and (trend.noise == 0 or gained <= noises * trend.noise)
    # a net often begins a little above chance, and is there at once
    settled = gained <= SETTLES * abs(trend.start) and trend.early - min(trend.now, trend.lowest) <= trend.noise / 2
    if not is_still and not settled:
        return
    if trend.now - trend.start > max(abs(trend.start), 6 * trend.noise):
        return  # it left: that is another ill
    yield Symptom(
        rule="loss_not_decreasing",
        severity="warning" if window.step >= patience * after_steps and not is_game(window) else "info",
        summary=f"The loss stands at {trend.now:.4g} after {window.step:,} steps; it began at {trend.start:.4g}",
        first_step=int(loss.steps[0]),
        last_step=window.step,
        evidence=Evidence(
            metric=window.loss_name,
            value=trend.now,
            threshold=trend.start * (1 - fallen),
            comparison=">",
            first_step=int(loss.steps[0]),
            last_step=window.step,
            numbers={"at the start": trend.start, "now": trend.now, "best": trend.lowest, "noise": trend.noise},
        ),
        causes=(
            "gradients do not reach the weights (see the other findings)",
            "a learning rate far too high or too low",
            "labels that have nothing to do with the inputs: shuffled, or misaligned",
        ),
        advice=(
            "Overfit one batch: the same 16 examples for 200 steps must bring the loss near zero.",
            "Try learning rates of 1e-4, 1e-3 and 1e-2 for 100 steps each.",
            "Print one batch with its labels just before it enters the network.",
        ),
    )
