"""A network that has learnt what it can, which is not much."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import classifies, is_game, is_stuck, knows_nothing, loss_function, middle
from trainvitals_server.diagnosis.reading import loss_trend
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

ROWS = 16  # of fewer a share tells nothing


def underfitting(
    window: Window, *, after_steps: int = 300, learnt: float = 0.05, right: float = 0.8, share: float = 0.3,
    apart: float = 1.1,
) -> Iterator[Symptom]:  # fmt: skip
    """After ``after_steps`` steps the training loss, which had fallen by ``learnt`` at least, no longer falls; less
    than ``right`` of the training examples are told rightly (of a regression: ``share`` of the targets' variance is
    left); and the validation loss is the same, but for a factor of ``apart``: where it is lower, what is trained on is
    made harder on purpose. Worth knowing: the task may not give more. Silent where an example has several labels, as a
    text has.

    Source: Goodfellow, Bengio & Courville, "Deep Learning", 2016, section 5.2 (a training error that is not low).
    """
    trend, unseen = loss_trend(window.loss), window.validation_loss
    if trend is None or unseen is None or is_game(window) or not is_stuck(window, after_steps=after_steps):
        return
    validation = float(unseen.values[-1])
    is_alike = trend.now / apart <= validation <= apart * trend.now
    if trend.fallen < learnt or not is_alike or knows_nothing(window, trend.now):
        return
    told = _far_from_right(window, trend.now, right=right, share=share)
    if told is None:
        return
    yield Symptom(
        rule="underfitting",
        severity="info",
        summary=f"The loss rests at {trend.now:.4g} in training and {validation:.4g} in validation: {told}",
        first_step=window.step // 2,
        last_step=window.step,
        evidence=Evidence(
            metric=window.loss_name, value=trend.now, first_step=window.step // 2, last_step=window.step,
            numbers={"training loss": trend.now, "validation loss": validation, "loss": trend.course},
        ),
        causes=(
            "a network too small, or regularised more than it bears",
            "a learning rate too low or too high to go on from here",
            "inputs that do not tell more about the targets",
        ),
        advice=(
            "Overfit one batch: if that fails, something is broken; if not, double the network's width.",
            "Halve weight decay and dropout; try a third of the learning rate for a few hundred steps.",
            "Ask how good a simple model is, and a person: there may be no more in the data.",
        ),
    )  # fmt: skip


def _far_from_right(window: Window, loss: float, *, right: float, share: float) -> str | None:
    """How far the answers are from right, in words; None if they are not, or it is not known."""
    accuracy, spread = middle(window, "accuracy", samples=10), middle(window, "target_std")
    rows, examples = middle(window, "rows") or 0.0, middle(window, "examples")
    if classifies(window) and accuracy is not None and rows >= ROWS and examples in (None, rows):
        return f"{accuracy:.0%} of the training examples are told rightly" if accuracy < right else None
    if loss_function(window) == "mse_loss" and spread:
        left = loss / spread**2
        return f"{left:.0%} of the targets' variance is left" if left > share else None
    return None
