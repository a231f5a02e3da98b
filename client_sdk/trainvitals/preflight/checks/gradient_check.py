"""Whether gradients are the slopes of the loss."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from trainvitals.preflight.batches import Batch, map_tensors
from trainvitals.preflight.case import Case
from trainvitals.preflight.trial import Trial
from trainvitals.preflight.untouched import seed
from trainvitals.preflight.verdict import UNFREEZE, Verdict, failed, passed, shown, unknown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "check the inside"
SHARE: Final = 0.1
SAMPLES: Final = 4
TENSORS: Final = 8
ENTRIES: Final = 3  # of each tensor, the one with the largest gradient among them
STEP: Final = 1e-5  # of the weight, or of 1: the best there is for central differences in float64
WRONG: Final = 1e-2  # relative error; CS231n: above that "usually means the gradient is probably wrong"
SMOOTH: Final = 1e-3  # relative difference of slopes to the left, to the right, and at a tenth of the step
MEANT: Final = re.compile("rev|grl|straight|ste$|quant|round|sign|binar|spik|surrog|hard|stop|scal|cla?[mi]p", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """One entry of one parameter: its gradient, and the slope that was measured."""

    name: str
    gradient: float
    slope: float

    @property
    def error(self) -> float:
        """Relative to the larger of the two."""
        return abs(self.gradient - self.slope) / max(abs(self.gradient), abs(self.slope), 1e-300)


def gradient_check(case: Case) -> Verdict:
    """Central differences in float64, at a few entries of sampled parameters, agree with autograd.

    Entries at a kink (where slopes to the left and right differ) and in noise are left out.
    Source: CS231n, "gradient checks"; TheDeepChecker 2022.
    Cries wolf: straight-through estimators, gradient reversal and detach() make gradients that are no slopes, on
    purpose. Hence failed only where a function with a backward of its own is in the graph whose name tells of none of
    these, and where no sign is turned; otherwise a difference is unknown.
    """
    if not case.trainable:
        return unknown("all parameters are frozen: there is no gradient to check", advice=[UNFREEZE])
    with case.trial(training=False) as trial:
        for part in trial.model.modules():
            if isinstance(part, nn.RNNBase):
                part.train()  # without which cuDNN has no gradient
                part.dropout = 0.0
        batch = _in_double(trial, case.few(SAMPLES))
        found, functions = _slopes(case, trial, batch)
    if not found:
        said = "no entry could be measured: the loss is too noisy, too rough, flat or not in float64"
        return unknown(said, advice=[_by_hand()])
    worst = max(found, key=lambda slope: slope.error)
    numbers: dict[str, float | str] = {"entries": len(found), "largest relative error": worst.error}
    if worst.error <= WRONG:
        return passed(f"{len(found)} entries differ by at most {shown(worst.error)}, relatively", numbers)
    numbers |= {"gradient": worst.gradient, "slope": worst.slope, "in": worst.name}
    said = f"the gradient of {worst.name} is {shown(worst.gradient)}, the slope of the loss {shown(worst.slope)}"
    turned = any(slope.gradient * slope.slope < 0 for slope in found if slope.error > WRONG)
    suspects = [name for name in functions if not MEANT.search(name)]
    if suspects and len(suspects) == len(functions) and not turned:
        return failed(said, numbers, advice=[f"Look at the backward of {', '.join(suspects)}."])
    return unknown(f"{said}: a detach() or an estimator on the way?", numbers, advice=[_by_hand()])


def _by_hand() -> str:
    return "Try torch.autograd.gradcheck on the parts that you wrote, in float64."


def _in_double(trial: Trial, batch: Batch) -> Batch:
    trial.model.double()
    if isinstance(trial.loss_fn, nn.Module):
        trial.loss_fn.double()
    return map_tensors(batch, lambda tensor: tensor.double() if tensor.is_floating_point() else tensor)


def _slopes(case: Case, trial: Trial, batch: Batch) -> tuple[list[Slope], list[str]]:
    """The slopes that could be measured in time, and the names of functions with a backward of their own."""
    buffers = [(buffer, buffer.clone()) for buffer in trial.model.buffers()]

    def loss() -> Tensor:
        for buffer, value in buffers:
            buffer.data.copy_(value)
        return trial.run(batch).loss

    first = loss()  # which makes the parameters of lazy layers
    named = [(name, part) for name, part in trial.model.named_parameters() if part.requires_grad and part.numel()]
    if not first.requires_grad or first.dtype != torch.float64:  # something on the way is less precise
        return [], []
    functions = _own_functions(first)
    gradients = trial.gradients(first, [part for _, part in named])
    reached = [
        (name, part, grad.to_dense() if grad.is_sparse else grad)
        for (name, part), grad in zip(named, gradients, strict=True)
        if grad is not None
    ]
    seed(0)
    spread = [
        reached[place * len(reached) // min(TENSORS, len(reached))] for place in range(min(TENSORS, len(reached)))
    ]
    entries = [(name, part, grad, entry) for name, part, grad in spread for entry in _entries(grad)]
    found = []
    with torch.no_grad():
        for name, part, grad, entry in entries:
            if case.late:
                break
            slope = _slope(loss, part.data.view(-1), entry, float(first))
            if slope is not None:
                found.append(Slope(name=name, gradient=float(grad.reshape(-1)[entry]), slope=slope))
    return found, functions


def _entries(gradient: Tensor) -> Sequence[int]:
    """The largest, and some others that are not zero."""
    flat = gradient.abs().reshape(-1)
    candidates = (flat > 0).nonzero().reshape(-1)
    if not len(candidates):
        return []
    some = candidates[torch.randperm(len(candidates))[: ENTRIES - 1].to(candidates.device)]
    return sorted({int(flat.argmax()), *some.tolist()})


def _slope(loss: Any, values: Tensor, entry: int, here: float) -> float | None:  # Any: a function of nothing
    """Of the loss along one entry; None at a kink, in noise, and where it is flat."""
    kept = float(values[entry])
    step = STEP * max(1.0, abs(kept))

    def at(offset: float) -> float:
        values[entry] = kept + offset
        value = float(loss())
        values[entry] = kept
        return value

    above, below = at(step), at(-step)
    central = (above - below) / (2 * step)
    left, right = (here - below) / step, (above - here) / step
    finer = (at(step / 10) - at(-step / 10)) / (step / 5)
    scale = max(abs(central), 1e-8)
    if abs(left - right) > 10 * SMOOTH * scale or abs(finer - central) > SMOOTH * scale:
        return None
    return central if abs(central) > 1e-8 * max(1.0, abs(here)) else None


def _own_functions(loss: Tensor) -> list[str]:
    """The names of autograd functions written in Python."""
    seen, waiting = set(), [loss.grad_fn]
    names: set[str] = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(node, torch.autograd.function.BackwardCFunction):
            names.add(node.name().removesuffix("Backward"))
        waiting += [father for father, _ in node.next_functions]
    return sorted(names)
