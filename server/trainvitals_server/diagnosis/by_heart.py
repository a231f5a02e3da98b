"""Whether a classifier learns its examples by heart, and nothing that holds for others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import classifies, fact, middle, validation_metrics
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

NO_BETTER: Final = 0.98  # of chance: what noise of a validation may lie beneath
NEAR: Final = 1.25  # of chance: a best validation loss beyond it is of another scale
UNDECIDED: Final = 0.5  # of chance: a training loss above it is not of examples that are known by heart yet
ACCURACY: Final = re.compile(r"(^|[/_.\-])(acc|accuracy|top)[_@]?\d*([/_.\-]|$)", re.IGNORECASE)
CAUSES: Final = (
    "inputs and labels shuffled apart, or joined in different orders",
    "labels that the validation numbers in another way than the training",
    "a target that the inputs do not tell",
)
ADVICE: Final = (
    "Print ten inputs with their labels just before they enter the network, of training and of validation.",
    "Shuffle both by one permutation, inputs[order] and labels[order]; sort file names before pairing them.",
    "Log a validation accuracy: above the commonest label's share, labels do belong to inputs.",
)


@dataclass(frozen=True, slots=True)
class _Course:
    """The best and the newest validation loss, the training loss, and that of knowing nothing; the evaluations' first
    step and their number."""

    best: float
    validation: float
    training: float
    chance: float
    first_step: int
    count: int


def learnt_by_heart(window: Window, *, evaluations: int, learnt: float, gained: float) -> Symptom | None:
    """The symptom, if over ``evaluations`` or more the validation loss was never better than chance while the training
    loss fell under ``learnt`` of it, and the first of them came while little was known by heart: sure of themselves,
    networks of few examples are worse than chance later on although half of what they say is right. None where a
    validation accuracy lies ``gained`` above the share of the commonest label."""
    course = _course(window)
    if course is None or course.count < evaluations or course.training >= learnt * course.chance:
        return None
    if not NO_BETTER * course.chance <= course.best <= NEAR * course.chance or _is_right(window, gained):
        return None
    return Symptom(
        rule="labels_shuffled",
        severity="warning",
        summary=f"What is learnt holds for no other examples: the training loss is {course.training:.3g}, the "
        f"validation loss was never under {course.chance:.3g}, that of guessing: labels seem not to belong to inputs",
        first_step=course.first_step,
        last_step=window.step,
        evidence=Evidence(
            metric=window.validation_loss_name, value=course.validation, threshold=course.chance, comparison=">",
            first_step=course.first_step, last_step=window.step,
            numbers={
                "chance": f"{course.chance:.3g}",
                "best of the validation": f"{course.best:.3g}",
                "training loss": f"{course.training:.3g}",
                "evaluations": course.count,
            },
        ),
        causes=CAUSES,
        advice=ADVICE,
    )  # fmt: skip


def _course(window: Window) -> _Course | None:
    validation, losses = window.validation_loss, fact(window, "loss")
    chance, training = middle(window, "chance"), middle(window, "loss", 8)
    if validation is None or losses is None or chance is None or training is None or not classifies(window):
        return None
    finite = np.isfinite(validation.values)
    steps, values = validation.steps[finite], validation.values[finite].astype(np.float64)
    if not len(values) or values.min() == values.max():
        return None  # one result, logged again
    then = losses.values[max(0, int(np.searchsorted(losses.steps, steps[0], side="right")) - 1)]
    if not then > UNDECIDED * chance:
        return None
    return _Course(float(values.min()), float(values[-1]), training, chance, int(steps[0]), len(values))


def _is_right(window: Window, gained: float) -> bool:
    accuracies = [window.metrics[name] for name in validation_metrics(window) if ACCURACY.search(name)]
    newest = [float(found.values[-1]) for found in accuracies if len(found.values)]
    commonest = middle(window, "label_majority") or 0.0
    return any((value / 100 if value > 1 else value) > commonest + gained for value in newest)
