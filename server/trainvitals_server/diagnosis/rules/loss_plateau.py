"""A loss that has come some way and then rests, far from where it could be."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import NO_BETTER, is_game, is_learning, knows_nothing, loss_of_nothing, middle
from trainvitals_server.diagnosis.reading import loss_trend, rests_at
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

SETTLES = 0.05  # share of its start; a loss that lost no more is told of by loss_not_decreasing
CAUSES = (
    "a learning rate too high to settle, or too low to get on",
    "a network too small for the task, or a bottleneck in it",
    "inputs that do not tell what is asked: cut off, noisy, or not those of the labels",
)
ADVICE = (
    "Divide the learning rate by 10 for some hundred steps: a loss that drops was held up by steps too long.",
    "Overfit one batch: if 16 examples cannot be learnt, the fault is in the network or the loss.",
    "Compare with a simple baseline on the same inputs: it may be that they tell no more.",
)


def loss_plateau(
    window: Window,
    *,
    share: float = 0.3,
    least_steps: int = 300,
    flat: float = 0.02,
    alive: float = 0.1,
    far: float = 0.25,
    learnt: float = 0.9,
) -> Iterator[Symptom]:
    """For ``share`` of the run (``least_steps`` at least) the loss has rested at its best level, within ``flat`` of it
    and by more than its noise leaves open, with no fall beyond that noise, while the learning rate was above ``alive``
    of its peak; and it stands near the loss of knowing nothing, or above ``far`` of its start without ``learnt`` of the
    predictions being right.

    A warning a tenth under the loss of knowing nothing at most ("no better" is said within ``NO_BETTER`` of it), else
    worth knowing: where the floor lies nobody knows. Source: "A Recipe for Training Neural Networks" (Karpathy, 2019);
    TheDeepChecker (Ben Braiek & Khomh, TOSEM 2022), stagnated loss.
    """
    loss, trend, length = window.loss, loss_trend(window.loss), max(least_steps, int(share * window.step))
    if loss is None or trend is None or trend.has_two_signs or trend.start <= 0:
        return
    if window.step < 2 * length or is_game(window):
        return
    begun = window.step - length
    level = rests_at(loss, begun, within=flat)
    if level is None or level > trend.lowest + flat * abs(level) or not is_learning(window, begun, alive):
        return
    if trend.start - min(level, trend.lowest) <= SETTLES * trend.start:
        return
    nothing, right = knows_nothing(window, level), middle(window, "accuracy")
    if not nothing and (level < far * trend.start or (right is not None and right >= learnt)):
        return
    yield Symptom(
        rule="loss_plateau",
        severity="warning" if nothing else "info",
        summary=f"The loss has rested at {level:.4g} for {length:,} steps"
        + (_beside_nothing(window, level) if nothing else f"; it began at {trend.start:.4g}"),
        first_step=begun,
        last_step=window.step,
        evidence=Evidence(
            metric=window.loss_name, value=level, threshold=level * (1 - flat), first_step=begun, last_step=window.step,
            numbers={"at the start": trend.start, "now": level, "noise": trend.noise},
        ),
        causes=CAUSES,
        advice=ADVICE,
    )  # fmt: skip


def _beside_nothing(window: Window, level: float) -> str:
    nothing = loss_of_nothing(window) or 0.0
    little = "no" if level >= (1 - NO_BETTER) * nothing else "little"
    return f", {little} better than the {nothing:.4g} of knowing nothing"
