"""Whether a handful of samples can be learnt by heart."""

from __future__ import annotations

import math
from functools import partial
from typing import Final

import torch
from torch import Tensor

from trainvitals.preflight.case import Case
from trainvitals.preflight.fitting import Fit, fit, optimizers_for, squared_norm
from trainvitals.preflight.losses import BINARY, OF_CLASSES, accuracy, prediction_of, understand
from trainvitals.preflight.trial import Trial
from trainvitals.preflight.verdict import UNFREEZE, Verdict, failed, passed, shown, unknown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "start simple"
SHARE: Final = 0.4
SAMPLES: Final = 8
STEPS: Final = 300
FEWEST_STEPS: Final = 100  # fewer show nothing about what cannot be learnt
STUCK: Final = 0.02  # of the loss: less than that and it did not move, whatever the loss is
STUCK_CLASSES: Final = 0.1  # of the loss, where chance is known and memorising would take all of it
ROOM: Final = 20  # trainable values for each value to be learnt, without which a model need not be able to
SAME: Final = 1e-6  # of the outputs' size
LEARNT: Final = "learnt"
Tries = list[tuple[Fit, str]]  # with what held it back, if that can be seen


def overfit_one_batch(case: Case) -> Verdict:
    """The loss of at most eight samples falls to a tenth, with the optimizer given or with Adam at one of three rates.

    Random numbers are the same at every step, so that dropout and noise can be learnt, too.
    Source: CS231n and Karpathy ("overfit a single batch"); TheDeepChecker 2022 (fit a single batch).
    Cries wolf: losses with a floor above zero, contrastive ones for example, models too small to memorise, pre-trained
    models that are done: unknown, unless the loss hardly moves at all or the reason can be seen.
    """
    if not case.trainable:
        return unknown("all parameters are frozen: there is nothing to train", advice=[UNFREEZE])
    if not math.isfinite(case.probe.loss):
        return failed(f"the first loss is {shown(case.probe.loss)}: nothing can be learnt from it")
    tries = _tries(case)
    if not tries:
        return unknown("there was no time for it", advice=[_more_time()])
    best, state = max(tries, key=lambda one: (one[1] == LEARNT, _fallen(one[0])))
    samples = min(SAMPLES, case.size) if case.size else "the batch's"
    said = f"the loss of {samples} samples went from {shown(best.first)} to {shown(best.lowest)} in {best.steps} steps"
    numbers: dict[str, float | str] = {
        "first loss": best.first, "lowest loss": best.lowest, "steps": best.steps, "by": best.by,
    }  # fmt: skip
    if state == LEARNT:
        others = [one for one, _ in tries if one.own and one is not best]
        advice = [f"{one.by} did not get as far: {shown(one.lowest)}. See learning rate range." for one in others]
        return passed(f"{said} ({best.by})", numbers, advice=advice)
    return _not_learnt(case, tries, best, state, said, numbers)


def _not_learnt(
    case: Case, tries: Tries, best: Fit, held_back: str, said: str, numbers: dict[str, float | str]
) -> Verdict:
    if best.first == 0:
        said = "the loss is 0 before the first step: nothing is left to learn"
        return unknown(said, numbers, advice=["Is that meant? Give a batch that the model does not know yet."])
    if all(not math.isfinite(one.losses[-1]) for one, _ in tries):
        said = f"{said}, and became NaN with every optimizer"
        return failed(said, numbers, advice=["See input scale and initial loss."])
    if held_back:
        return failed(f"{said}: {held_back}", numbers, advice=[_causes()])
    if best.steps < FEWEST_STEPS:
        return unknown(f"{said}: too few to tell", numbers, advice=[_more_time()])
    if best.fallen < _stuck(case) and _has_room(case):
        return failed(f"{said}: it hardly moves, whatever the learning rate", numbers, advice=[_causes()])
    return unknown(f"{said}: it falls, and does not vanish", numbers, advice=[_floor()])


def _fallen(one: Fit) -> float:
    return one.fallen if math.isfinite(one.fallen) else -math.inf


def _tries(case: Case) -> Tries:
    """One optimizer after the other, each with its share of the time, until one succeeds."""
    few, makes = case.few(SAMPLES), list(optimizers_for(case))
    tries: Tries = []
    for place, (by, own, make) in enumerate(makes):
        now = case.clock()
        until = now + (case.deadline - now) / (len(makes) - place)
        if now >= case.deadline:
            break
        with case.trial() as trial:
            one = fit(trial, few, make(trial), by=by, own=own, steps=STEPS, late=partial(_is_after, case, until))
            is_learnt = one.learnt or (one.first <= 0 and one.fallen > STUCK) or _all_right(case, trial, one)
            state = LEARNT if is_learnt else _held_back(case, trial, one)
        tries.append((one, state))
        if state == LEARNT:
            break
    return tries


def _is_after(case: Case, moment: float) -> bool:
    return case.clock() >= moment


def _all_right(case: Case, trial: Trial, one: Fit) -> bool:
    """Whether every label is told right: label smoothing, class weights and double softmax keep losses from zero."""
    known = understand(case)
    if known is None or known.kind not in OF_CLASSES or one.fallen < STUCK_CLASSES or case.size is None:
        return False
    with torch.no_grad():
        output = prediction_of(trial.run(case.few(SAMPLES)).output)
    labels = case.targets[:SAMPLES]
    if output is None or labels.is_floating_point() or labels.dim() != 1 or output.dim() != 2:
        return False
    return len(set(labels.tolist())) > 1 and accuracy(output, labels) == 1.0


def _held_back(case: Case, trial: Trial, one: Fit) -> str:
    """What can be seen to be in the way; "" if nothing."""
    if not math.isfinite(one.losses[-1]) or one.steps < FEWEST_STEPS or one.fallen > 0.5:
        return ""
    few = case.few(SAMPLES)
    seen = trial.run(few)
    if not seen.loss.requires_grad:
        return "the loss has no graph"
    if squared_norm(trial.gradients(seen.loss, trial.trainable())) == 0:
        return "every gradient is exactly zero, as behind dead ReLU units"
    output = prediction_of(seen.output)
    if output is None or not output.dim() or not isinstance(case.targets, Tensor) or len(output) < 2:
        return ""
    rows, wanted = _rows(output.detach().float()), _rows(case.targets[: len(output)])
    targets_differ = len(wanted) == len(rows) and bool((wanted != wanted[:1]).any())
    if targets_differ and float((rows - rows[:1]).abs().max()) <= SAME * float(rows.abs().max()):
        return "the model gives the same answer to every sample"
    return ""


def _rows(tensor: Tensor) -> Tensor:
    return tensor.reshape(len(tensor), -1) if tensor.dim() else tensor.reshape(1, 1)


def _stuck(case: Case) -> float:
    known = understand(case)
    return STUCK_CLASSES if known is not None and known.kind in (*OF_CLASSES, *BINARY) else STUCK


def _has_room(case: Case) -> bool:
    values = sum(part.numel() for part in case.trainable.values())
    targets = case.targets.numel() if isinstance(case.targets, Tensor) else 1
    return values >= ROOM * max(1, targets // max(1, (case.size or SAMPLES) // SAMPLES))


def _causes() -> str:
    return (
        "Look, in this order, at: detached graph, parameters without gradient, input used, label range; then at labels "
        "that do not belong to their inputs, and at activations that saturate or die."
    )


def _floor() -> str:
    return (
        "If the loss can reach zero, give seconds= more time or look at the model's capacity; contrastive losses, "
        "label smoothing and noise have a floor above it."
    )


def _more_time() -> str:
    return "Give it more time (seconds=), or a smaller batch."
