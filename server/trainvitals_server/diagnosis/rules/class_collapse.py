"""A classifier that predicts one class, whatever it sees."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import classifies, fact, ill_since, is_stuck, middle, newest
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

CAUSES = (
    "units that died: the last layer sees the same for every example",
    "a learning rate so high that the bias of one class has won",
    "inputs that say nothing of the labels",
)
ADVICE = (
    "Look at the outputs of the layer before the last: if they do not differ between examples, go back to the first "
    "layer where they do.",
    "Lower the learning rate (÷ 10), and overfit one batch of two classes.",
    "If classes are unequal, weigh them: torch.nn.CrossEntropyLoss(weight=1 / frequencies).",
)


def class_collapse(
    window: Window,
    *,
    share: float = 0.98,
    mixed: float = 0.9,
    samples: int = 6,
    after_steps: int = 60,
    fewest_rows: int = 8,
) -> Iterator[Symptom]:
    """In the newest ``samples`` looks one class had at least ``share`` of the predictions while no label had more than
    ``mixed`` of the rows, after ``after_steps`` steps, and the loss falls no more.

    The last is what tells it from the first phase of a language model, which says the commonest token to everything
    while its loss falls. Source: TheDeepChecker (Ben Braiek & Khomh, 2022), "class imbalance and constant outputs".
    """
    predicted, labels = newest(window, "predicted_majority", samples), newest(window, "label_majority", samples)
    rows, every = middle(window, "rows"), fact(window, "predicted_majority")
    if predicted is None or labels is None or every is None or rows is None:
        return
    if rows < fewest_rows or not classifies(window):
        return
    if not ((predicted >= share).all() and (labels <= mixed).all() and is_stuck(window, after_steps=after_steps)):
        return
    begun = ill_since(every, every.values >= share)
    which, accuracy = middle(window, "commonest_prediction", 1), middle(window, "accuracy", samples)
    least = float(predicted.min())
    to = "all examples" if least == 1.0 else f"at least {least:.0%} of the examples"
    yield Symptom(
        rule="class_collapse",
        severity="warning",
        summary=f"The network answers one class to {to}, of late {which:.0f}; no label has more than "
        f"{labels.max():.0%} of them",
        first_step=begun,
        last_step=window.step,
        evidence=Evidence(
            metric="facts/predicted_majority",
            value=median(predicted),
            threshold=share,
            first_step=begun,
            last_step=window.step,
            numbers={
                "share of the commonest prediction": f"{median(predicted):.0%}",
                "share of the commonest label": f"{median(labels):.0%}",
                "accuracy": f"{accuracy or 0.0:.0%}",
            },
        ),
        causes=CAUSES,
        advice=ADVICE,
    )
