"""Gradients of several passes that are added up where their mean is due."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import fact, ill_since, newest
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def accumulation_unscaled(window: Window, *, looks: int = 3, least: float = 0.99) -> Iterator[Symptom]:
    """In each of the newest ``looks`` a step took several backward passes, each from the mean of one batch, and none
    with a weight under ``least``: the gradient is as many times that of one batch as there were passes.

    For information: with the learning rate chosen by it, or where passes are of different losses, a sum may be meant.
    Exact. Source: PyTorch's "Automatic Mixed Precision examples" (gradient accumulation: the loss is divided by the
    number of passes).
    """
    passes, weights, calls = (newest(window, name, looks) for name in ("loss_passes", "loss_weight", "loss_calls"))
    every = fact(window, "loss_passes")
    if passes is None or weights is None or calls is None or every is None:
        return
    if (passes < 2).any() or (weights < least).any() or (calls != passes).any():
        return
    since, count = ill_since(every, every.values >= 2), int(passes[-1])
    yield Symptom(
        rule="accumulation_unscaled",
        severity="info",
        summary=f"The gradients of {count} passes are added up at each step, and no loss is divided by {count}: steps "
        f"are those of a learning rate {count} times as large, and clipping and weight decay weigh otherwise",
        first_step=since,
        last_step=window.step,
        evidence=Evidence(
            metric="facts/loss_weight",
            value=float(weights[-1]),
            threshold=1 / count,
            first_step=since,
            last_step=window.step,
            numbers={"passes in a step": count, "weight of each loss": float(weights[-1])},
        ),
        causes=("the loss of each pass is called backward on as it is", "a sum that is meant, of different losses"),
        advice=(
            f"Divide each loss before its backward pass: (loss / {count}).backward().",
            "Where batches differ in size, divide by the number of all examples, or tokens, of the step.",
        ),
    )
