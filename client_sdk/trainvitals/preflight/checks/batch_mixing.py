"""Whether samples of a batch influence one another."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from trainvitals.preflight.batches import Batch, parts_of, size_of, tensors, with_inputs
from trainvitals.preflight.case import Case
from trainvitals.preflight.losses import prediction_of
from trainvitals.preflight.trial import Trial
from trainvitals.preflight.verdict import Verdict, failed, passed, shown, unknown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "check the inside"
SAMPLES: Final = 8
MIXED: Final = 1e-3  # of the outputs' spread: rounding differs by a thousandth of that
ADVICE: Final = (
    "Look for view() or reshape() where permute() or transpose() is meant, for softmax, mean or norm over dimension 0, "
    "and for recurrent or attention layers without batch_first=True."
)


def batch_mixing(case: Case) -> Verdict:
    """In evaluation, the outputs of the first and the last sample stay the same when all others become copies of them.

    Source: Karpathy, "A recipe for training neural networks" (use backprop to chart dependencies); TheDeepChecker 2022.
    Cries wolf: graph networks and other models of sets, where samples are meant to meet (an adjacency matrix is
    recognised: unknown); batch norm without running statistics (unknown). Where every input has a target, samples may
    lie along the second dimension instead: that they do not mix there is enough.
    """
    few = case.few(SAMPLES)
    size = size_of(few)
    if size is None or size < 2:
        return unknown("a batch of several samples along the first dimension is needed", advice=[_advice()])
    with case.trial(training=False) as trial, torch.no_grad():
        if not _repeats(trial, few):
            said = "the model answers the same batch differently when asked again: it keeps a state, or draws at random"
            return unknown(said, advice=["Reset the state in forward=, (model, batch) → loss."])
        moved = _moved(trial, few, dim=0)
        if moved is None:
            return unknown("the output has no row for each sample", advice=[_advice()])
        along = _moved(trial, few, dim=1) if moved > MIXED and _is_sequence(case) else None
    if math.isnan(moved):
        return unknown("other inputs do not change the output: nothing can be told", advice=["See input used."])
    numbers = {"change of a sample's output, in spreads": moved}
    if moved <= MIXED:
        return passed("no sample's output depends on the others of its batch", numbers)
    if along is not None and not along > MIXED:
        return passed("samples lie along the second dimension, and do not depend on one another", numbers)
    said = f"a sample's output moves by {shown(moved)} spreads when the other samples change"
    if reason := _may_be_meant(case):
        return unknown(f"{said}; {reason}", numbers, advice=[ADVICE])
    return failed(said, numbers, advice=[ADVICE])


def _repeats(trial: Trial, batch: Batch) -> bool:
    """Whether the second answer is the first one; the answers before them may still have been settling in."""
    answers = [prediction_of(trial.run(batch).output) for _ in range(2)]
    first, second = answers
    return first is None or second is None or (first.shape == second.shape and torch.allclose(first, second, rtol=1e-4))


def _moved(trial: Trial, batch: Batch, *, dim: int) -> float | None:
    """How far the outputs of the first and of the last sample along a dimension move when all others become copies of
    it, in spreads of the output; NaN where nothing moves at all, None where there is no row for each sample."""
    size = next(tensor.shape[dim] for tensor in tensors(parts_of(batch)[0]) if tensor.dim() > dim)
    output, largest, others = prediction_of(trial.run(batch).output), 0.0, 0.0
    if output is None or output.dim() <= dim or output.shape[dim] != size:
        return None
    for place in (0, size - 1):
        changed = prediction_of(trial.run(with_inputs(batch, _all_like(place, dim))).output)
        assert changed is not None
        moves = (output - changed).abs().float().movedim(dim, 0).reshape(size, -1).amax(1)
        largest, others = max(largest, float(moves[place])), max(others, float(moves.max()))
    return largest / max(float(output.float().std()), others) if others else math.nan


def _all_like(place: int, dim: int) -> Callable[[Tensor], Tensor]:
    def change(tensor: Tensor) -> Tensor:
        return tensor.narrow(dim, place, 1).expand_as(tensor).contiguous() if tensor.dim() > dim else tensor

    return change


def _is_sequence(case: Case) -> bool:
    """Whether every input has a target: which of the first two dimensions is time cannot be seen then."""
    first = tensors(case.inputs)[0]
    return isinstance(case.targets, Tensor) and case.targets.dim() > 1 and case.targets.shape[:2] == first.shape[:2]


def _may_be_meant(case: Case) -> str:
    """Why samples may meet on purpose; "" where no reason is seen."""
    if any(tensor.shape[:2] == (case.size, case.size) for tensor in tensors(case.inputs)):
        return "one of the inputs is square, as the adjacency of a graph is"
    if any(isinstance(part, _BatchNorm) and part.running_mean is None for part in case.model.modules()):
        return "it has batch norm without running statistics"
    return "" if isinstance(case.targets, Tensor) else "what the samples are cannot be seen"


def _advice() -> str:
    return "Give a batch of at least two samples whose inputs and targets all have them along dimension 0."
