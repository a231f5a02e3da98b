"""Probabilities that go into a loss that makes probabilities by itself."""

from __future__ import annotations

import math
from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import fact, loss_function, middle, newest
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

LOGITS = "binary_cross_entropy_with_logits"


def softmax_twice(
    window: Window, *, tolerance: float = 0.02, samples: int = 3, binary_samples: int = 16
) -> Iterator[Symptom]:
    """Every row that cross entropy was given in the newest ``samples`` looks had no negative number and summed to one,
    within ``tolerance``: a softmax, which the loss applies again. Of decisions between two: all numbers lay within 0
    and 1 in ``binary_samples`` looks, or in ``samples`` where the last layer is a Sigmoid.

    Exact but for chance. Source: "most common neural net mistakes" (Karpathy, 2018); the floor is that of logits that
    differ by one: ln(e + C - 1) - 1.
    """
    function = loss_function(window)
    if function == "cross_entropy":
        lowest, errors = newest(window, "score_min", samples), newest(window, "score_sum_error", samples)
        is_ill = lowest is not None and errors is not None and bool((lowest >= 0).all() and (errors < tolerance).all())
        name = "softmax"
    elif function == LOGITS:
        ends = list(window.info.values())[-1:]
        looks = samples if ends and ends[0].kind == "Sigmoid" else binary_samples
        low, high = newest(window, "score_min", looks), newest(window, "score_max", looks)
        is_ill = low is not None and high is not None and bool((low > 0).all() and (high < 1).all())
        name = "sigmoid"
    else:
        return
    classes, first = middle(window, "classes"), fact(window, "score_min")
    if not is_ill or classes is None or first is None:
        return
    floor = math.log(math.e + classes - 1) - 1 if name == "softmax" else math.log(1 + math.exp(-1))
    yield Symptom(
        rule="softmax_twice",
        severity="warning",
        summary=f"The network's {name} goes into {function}, which applies it again: the loss cannot fall below "
        f"{floor:.2f}",
        first_step=int(first.steps[0]),
        last_step=window.step,
        evidence=Evidence(
            metric=window.loss_name,
            value=middle(window, "loss"),
            threshold=floor,
            first_step=int(first.steps[0]),
            last_step=window.step,
            numbers={"smallest number given to the loss": float(first.values[-1]), "lowest loss possible": floor},
        ),
        causes=(f"a {name} at the end of the network", f"a loss that expects what comes before the {name}"),
        advice=(
            f"Let the network return logits: drop its last {name}, and apply it where you predict.",
            "Or keep it and change the loss: F.nll_loss(torch.log(p), y), F.binary_cross_entropy(p, y).",
        ),
    )
