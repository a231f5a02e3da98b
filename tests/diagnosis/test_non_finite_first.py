"""Where non-finite values came from is told as far as it was seen: between two snapshots the loss is all there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainvitals_server.diagnosis.catalogue import rules
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window

STEPS, EVERY, SEEN = 300, 10, 160  # a snapshot every ten steps; layers are ill at that of step 160
USUAL = np.linspace(2.0, 1.0, STEPS)
GROWN = np.geomspace(2.0, 1e30, STEPS)


def judged(loss: Any) -> Symptom:
    """What is said of a run of two layers with this loss."""
    looks = np.arange(0, STEPS, EVERY, dtype=np.int64)
    share = np.where(looks >= SEEN, 1.0, 0.0)[:, None] * np.ones((1, 2), dtype=np.float32)
    every = Series(steps=np.arange(STEPS, dtype=np.int64), values=np.asarray(loss, dtype=np.float32))
    window = Window(
        run_id="r", step=STEPS - 1, layers=("stem", "head"), steps=looks, metrics={"loss": every},
        stats={"activation_nonfinite": share.astype(np.float32)}, nonfinite={"activation": share > 0},
    )  # fmt: skip
    (symptom,) = rules()["non_finite_values"](window)
    return symptom


def lost_at(step: int, before: Any = USUAL) -> Any:
    return np.where(np.arange(STEPS) < step, before, np.nan)


def test_a_loss_that_was_ill_before_any_layer_was_seen_so_comes_first() -> None:
    symptom = judged(lost_at(153))

    assert symptom.summary.startswith(
        "The loss is not finite since step 153; NaN or infinity in the activation of stem"
    )
    assert symptom.first_step == 153
    assert symptom.evidence.numbers["first in"] == "loss"
    assert symptom.evidence.numbers["seen next in"] == "activation of stem, at step 160"


def test_a_layer_that_was_seen_so_at_the_same_step_comes_first() -> None:
    symptom = judged(lost_at(SEEN))

    assert symptom.evidence.numbers["first in"] == "activation of stem"
    assert "seen next in" not in symptom.evidence.numbers
    assert symptom.causes[0] == "a non-finite input or weight"


@pytest.mark.parametrize(
    ("before", "cause"), [(USUAL, "log, sqrt or division at zero"), (GROWN, "values that grew until they overflowed")]
)
def test_what_is_lost_all_at_once_is_told_from_what_grew(before: Any, cause: str) -> None:
    assert judged(lost_at(153, before)).causes[0].startswith(cause)
