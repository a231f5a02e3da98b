"""Whether what holds the weights small outweighs the data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from trainvitals.preflight.batches import Batch
from trainvitals.preflight.case import Case
from trainvitals.preflight.fitting import squared_norm
from trainvitals.preflight.trial import Trial
from trainvitals.preflight.verdict import UNFREEZE, Verdict, failed, passed, shown, unknown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "confirm the loss"
SAMPLES: Final = 4  # of which the gradient does not vanish, even where that of the whole batch is at its optimum
OUTWEIGHS: Final = 10.0  # times the data's gradient: at a regularised optimum it is 1
EVEN: Final = 1.0
DECOUPLED: Final = ("AdamW", "Lion", "Adan", "Muon", "NAdamW", "RAdamW", "Sophia", "ScheduleFree")
COUPLED: Final = ("SGD", "Adam", "NAdam", "RAdam", "Adamax", "Adagrad", "Adadelta", "RMSprop", "ASGD")


def regularisation(case: Case) -> Verdict:
    """The pull on the weights – a penalty in the loss, the optimizer's weight decay – is no larger than the data's.

    Compared are gradients, by their norm: what the loss says with the output held fixed is a penalty. Decay that is
    decoupled (AdamW) is compared with the step that it is part of, which is about the learning rate for each weight.
    Source: TheDeepChecker 2022 (over-regularised loss); Loshchilov & Hutter 2019.
    Cries wolf: at the end of a regularised training both are equal, hence a factor of ten; a loss that asks the model
    again (gradient penalties, consistency) is unknown.
    """
    if not case.trainable:
        return unknown("all parameters are frozen: nothing is regularised", advice=[UNFREEZE])
    with case.trial() as trial:
        if not trial.run(case.batch).loss.requires_grad:
            return unknown("the loss has no graph", advice=["See detached graph."])
        is_seen = case.loss_fn is not None and case.forward is None and not isinstance(case.batch, Mapping)
        penalty = _penalty(case, trial) if is_seen else [None] * len(trial.trainable())
        if penalty is None:
            return unknown(
                "the loss asks the model once more: a penalty cannot be told from the data",
                advice=["Log the parts of the loss one by one, and compare them."],
            )
        data = max(_pull(trial, batch, penalty) for batch in (case.batch, case.few(SAMPLES)))
        coupled, decoupled = _decay(trial)
    pull = math.sqrt(squared_norm(penalty))
    numbers: dict[str, float | str] = {"gradient of the data": data, "gradient of the penalty": pull}
    numbers |= {"weight decay": coupled, "decay in parts of a step": decoupled}
    share = max((pull + coupled) / max(data, 1e-30), decoupled)
    numbers["pull / data"] = share
    if not is_seen and share <= EVEN:
        said = f"weight decay pulls {shown(share)} times as much as the data" if share else "there is no weight decay"
        return unknown(
            f"{said}; a penalty within the loss cannot be told from the data where the model makes the loss itself",
            numbers,
            advice=["Log the parts of the loss one by one, and compare them."],
        )
    if pull + coupled + decoupled == 0:
        return passed("neither a penalty nor weight decay is seen", numbers)
    said = f"the pull on the weights is {shown(share)} times that of the data"
    if share > OUTWEIGHS:
        return failed(said, numbers, advice=["Lower the penalty's factor or weight_decay by powers of ten."])
    if share > EVEN:
        return unknown(
            said, numbers, advice=["Train some hundred steps with and without it, and compare the data's loss."]
        )
    return passed(said, numbers)


def _pull(trial: Trial, batch: Batch, penalty: Sequence[Tensor | None]) -> float:
    """The norm of the loss's gradient, less what the penalty has in it."""
    weights = trial.trainable()
    gradients = trial.gradients(trial.run(batch).loss, weights)
    within = penalty[: len(weights)]  # what goes by the original is no part of the copy's gradient
    rest = [
        gradient if other is None or gradient is None else gradient - other
        for gradient, other in zip(gradients, within, strict=True)
    ]
    return math.sqrt(squared_norm(rest))


def _penalty(case: Case, trial: Trial) -> list[Tensor | None] | None:
    """The loss's gradient with the output held fixed, by the copy's weights and by the original's, which a loss may
    hold on to; None if the model is asked again."""
    weights = trial.trainable()
    asked: list[bool] = []
    handles = [
        model.register_forward_pre_hook(lambda module, inputs: asked.append(True))
        for model in {id(model): model for model in (case.model, trial.model)}.values()
    ]
    try:
        with torch.no_grad():
            output = trial.run(case.batch).output
        asked.clear()
        loss = trial.loss_of(output, case.targets)
    finally:
        for handle in handles:
            handle.remove()
    if asked:
        return None
    if not loss.requires_grad:
        return [None] * len(weights)
    held = [] if trial.model is case.model else list(case.trainable.values())
    return trial.gradients(loss, [*weights, *held])


def _decay(trial: Trial) -> tuple[float, float]:
    """The norm of coupled weight decay, and the largest decoupled one in parts of a step."""
    coupled, decoupled = 0.0, 0.0
    for optimizer in trial.optimizers:
        names = {kind.__name__ for kind in type(optimizer).__mro__}
        for group in optimizer.param_groups:
            decay = float(group.get("weight_decay", 0.0) or 0.0)
            weights = [part.detach() for part in group["params"] if part.requires_grad]
            if not decay or not weights:
                continue
            if names & set(DECOUPLED) or group.get("decoupled_weight_decay"):
                size = sum(part.numel() for part in weights)
                decoupled = max(decoupled, decay * (squared_norm(weights) / max(1, size)) ** 0.5)
            elif names & set(COUPLED):
                coupled += decay**2 * squared_norm(weights)
    return coupled**0.5, decoupled
