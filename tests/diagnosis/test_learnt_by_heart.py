"""Labels that do not belong to inputs are told from sound ones that are learnt too well, by the validation loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from trainvitals.wire.facts import LOSS_FUNCTIONS
from trainvitals.wire.messages import LayerInfo
from trainvitals_server.diagnosis.catalogue import rules
from trainvitals_server.diagnosis.consequences import follows_from
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window

STEPS, CLASSES = 400, 10
CHANCE = math.log(CLASSES)
EVALUATED = np.arange(19, STEPS, 20)
LEARNT = np.linspace(1.01, 0.3, STEPS) * CHANCE  # by heart, slowly
NEVER_BETTER = np.linspace(1.0, 2.4, len(EVALUATED)) * CHANCE
GENERALISES = np.linspace(0.9, 2.4, len(EVALUATED)) * CHANCE  # at first


def window(*, loss: Any = LEARNT, since: int = 0, **validation: Any) -> Window:
    """A classifier of ten classes, looked at every ten steps; evaluations from the ``since``-th on."""
    every, looks = np.arange(STEPS, dtype=np.int64), np.arange(0, STEPS, 10)
    facts = {"loss": loss[looks], "chance": CHANCE, "classes": CLASSES, "label_majority": 0.12}
    facts["loss_function"] = LOSS_FUNCTIONS.index("cross_entropy")
    metrics = {"loss": Series(steps=every, values=np.asarray(loss, dtype=np.float32))}
    for name, values in facts.items():
        metrics[f"facts/{name}"] = Series(steps=looks, values=np.broadcast_to(np.float32(values), looks.shape).copy())
    for name, values in validation.items():
        metrics[name] = Series(steps=EVALUATED[since:], values=np.asarray(values, dtype=np.float32)[since:])
    head = LayerInfo(name="head", kind="Linear", parameters=640, trainable=640, settings={"out_features": CLASSES})
    return Window(
        run_id="r",
        step=STEPS - 1,
        layers=("head",),
        info={"head": head},
        steps=looks,
        stats={"update_ratio": np.full((len(looks), 1), 1e-3, dtype=np.float32)},
        metrics=metrics,
    )


def found(window: Window) -> list[Symptom]:
    return list(rules()["labels_shuffled"](window))


def test_what_holds_for_no_other_example_from_the_beginning_on_is_a_warning() -> None:
    (symptom,) = found(window(val_loss=NEVER_BETTER))

    assert symptom.severity == "warning"
    assert "the validation loss was never under 2.3" in symptom.summary
    assert symptom.evidence.metric == "val_loss"
    assert symptom.evidence.threshold == pytest.approx(CHANCE)
    assert "shuffled apart" in symptom.causes[0]


QUIET = {
    "what was better than guessing at first": window(val_loss=GENERALISES),
    "few examples whose first evaluation came when they were known by heart": window(val_loss=NEVER_BETTER, since=14),
    "a validation that is mostly right, and far too sure": window(val_loss=NEVER_BETTER, val_acc=0.6 + 0 * EVALUATED),
    "the same in per cent": window(val_loss=NEVER_BETTER, val_accuracy=60.0 + 0 * EVALUATED),
    "a sum in place of a mean": window(val_loss=64 * NEVER_BETTER),
    "one result that is logged again and again": window(val_loss=CHANCE + 0.0 * EVALUATED),
    "training that has hardly begun": window(loss=np.linspace(1.01, 0.95, STEPS) * CHANCE, val_loss=NEVER_BETTER),
    "three evaluations": window(val_loss=np.where(EVALUATED < 60, NEVER_BETTER, np.nan)),
    "no validation": window(),
}


@pytest.mark.parametrize("trap", QUIET)
def test_other_courses_are_none_of_its_business(trap: str) -> None:
    assert found(QUIET[trap]) == []


def test_a_wrong_accuracy_is_no_excuse() -> None:
    assert found(window(val_loss=NEVER_BETTER, val_acc=0.1 + 0 * EVALUATED))


def test_what_looks_like_overfitting_follows_from_it() -> None:
    assert "labels_shuffled" in follows_from("overfitting")
