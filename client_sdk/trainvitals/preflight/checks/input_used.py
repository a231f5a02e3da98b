"""Whether the model makes use of its input."""

from __future__ import annotations

from typing import Final

import torch

from trainvitals.preflight.batches import with_zeroed_inputs
from trainvitals.preflight.case import Case
from trainvitals.preflight.fitting import Fit, Make, fit, optimizers_for
from trainvitals.preflight.losses import prediction_of
from trainvitals.preflight.verdict import UNFREEZE, Verdict, failed, passed, shown, unknown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "confirm the loss"
SHARE: Final = 0.2
SAMPLES: Final = 32
STEPS: Final = 100
FEWEST_STEPS: Final = 20
SAME: Final = 1e-6  # of the outputs' size
BETTER: Final = 0.1  # of the first loss, by which real inputs have to be ahead


def input_used(case: Case) -> Verdict:
    """Trained for a moment, the model answers differently to its input and to zeros; trained on zeros alone, it gets no
    further than a constant answer does.

    Source: Karpathy, "input-independent baseline"; TheDeepChecker 2022 (zeroed inputs).
    Cries wolf: a last layer that begins at zero gives constants before the first step (hence the training); a model
    whose input is a mere signal is failed, and rightly in its way.
    """
    if not case.trainable:
        return unknown("all parameters are frozen: there is nothing to train", advice=[UNFREEZE])
    best = unknown("there was no time for it", advice=["Give more of it: seconds=60."])
    for by, own, make in optimizers_for(case):
        if case.late:
            break
        verdict = _attempt(case, by, own, make)
        if verdict.status == "passed":  # one optimizer that sees a difference is enough
            return verdict
        best = verdict if not best.numbers or verdict.status == "unknown" else best
    return best


def _attempt(case: Case, by: str, own: bool, make: Make) -> Verdict:
    """With one optimizer: half of what time is left on the inputs, the other half on zeros."""
    real = case.few(SAMPLES)
    zeroed = with_zeroed_inputs(real)
    until = case.clock() + (case.deadline - case.clock()) / 4
    with case.trial() as trial:
        one = fit(trial, real, make(trial), by=by, own=own, steps=STEPS, late=lambda: case.clock() >= until)
        with torch.no_grad():
            answer, blind = trial.run(real), trial.run(zeroed)
        outputs = prediction_of(answer.output), prediction_of(blind.output)
    numbers = {"first loss": one.first, "loss with inputs": answer.loss.item(), "loss without": blind.loss.item()}
    if outputs[0] is not None and outputs[1] is not None:
        moved = float((outputs[0] - outputs[1]).abs().max())
        if moved <= SAME * float(outputs[0].abs().max()):
            return _same(one, numbers)
    with case.trial() as trial:
        other = fit(trial, zeroed, make(trial), by=by, own=own, steps=max(1, one.steps), late=lambda: case.late)
    numbers["loss when trained on zeros"] = other.lowest
    said = f"{one.steps} steps ({by}) bring the loss to {shown(one.lowest)}, on zeros to {shown(other.lowest)}"
    if (other.lowest - one.lowest) >= BETTER * abs(one.first):
        return passed(said, numbers)
    advice = ["Give it more time: seconds=60. Both losses have to part ways."]
    return unknown(f"inputs change the output; {said}", numbers, advice=advice)


def _same(one: Fit, numbers: dict[str, float]) -> Verdict:
    if one.steps < FEWEST_STEPS:
        said = "zeroed inputs give the same output, after too few steps to tell"
        return unknown(said, numbers, advice=["Give it more time: seconds=60."])
    return failed(
        f"after {one.steps} steps the model gives the same output whether its inputs are there or all zero",
        numbers,
        advice=["Look for an input that is not passed on, is overwritten, or dies in ReLU units of the first layers."],
    )
