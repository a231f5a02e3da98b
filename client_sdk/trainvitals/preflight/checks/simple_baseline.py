"""What the simplest models reach on this batch: the numbers to beat."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everybody calls it

from trainvitals.preflight.batches import Batch, map_tensors, tensors
from trainvitals.preflight.case import Case
from trainvitals.preflight.fitting import Fit, fit, optimizers_for
from trainvitals.preflight.losses import Understood, chance_level, prior_entropy, understand
from trainvitals.preflight.verdict import Verdict, failed, passed, shown, unknown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "start simple"
SHARE: Final = 0.15
FEWEST: Final = 16  # samples: half to learn from, half to be asked about
STEPS: Final = 200
RATE: Final = 0.05  # of Adam, for a linear model on standardised inputs
MOST_COLUMNS: Final = 20_000
NO_BETTER: Final = 0.95  # of the loss of a constant: nothing was learnt
EASY: Final = 0.5  # of the loss of a constant: a linear model learns much
STILL: Final = 0.01  # of its loss that the last quarter of the steps still gained: it goes on learning


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A linear model, fitted to half of the batch. ``loss``: there; ``score``: accuracy, or R², on the other half."""

    loss: float
    score: float


def simple_baseline(case: Case) -> Verdict:
    """The network learns from half of the batch what a linear model learns from it, in as many steps.

    It fails only if it stands still at the loss of a constant answer while a linear model halves that: the signal is
    there, and the network does not get at it.
    Source: Karpathy ("start with simple models"), Google's "Rules of machine learning" (a heuristic first).
    Cries wolf: one batch says little of the data; the score of the linear model on 8 samples is a hint, no benchmark.
    """
    known = understand(case)
    inputs = tensors(case.inputs)
    if known is None or known.factor is None or len(inputs) != 1 or not inputs[0].is_floating_point():
        return unknown("baselines need one tensor of numbers and one of the plain losses", advice=[_by_hand()])
    columns = inputs[0][0].numel() if inputs[0].dim() > 1 else 1
    rows = len(known.labels)
    if case.size is None or case.size < FEWEST or rows != case.size or columns > MOST_COLUMNS or not case.trainable:
        return unknown(f"baselines need {FEWEST} samples with one target each", advice=[_by_hand()])
    half = case.size // 2
    linear = _linear(inputs[0].reshape(case.size, -1).float(), known, half)
    constant = _constant(known, half)
    network = _network(case, half)
    classes = known.kind not in ("mse", "mae")
    majority = float(_majority(known, half)) if classes else 0.0
    word = "accuracy" if classes else "R²"
    own = network.lowest / known.factor
    numbers = {
        f"constant answer, {word}": majority,
        f"linear model, {word} on the other half": linear.score,
        "constant answer, loss": constant,
        "linear model, loss": linear.loss,
        "this network, loss": own,
    }
    said = (
        f"to beat: {majority:.0%} (majority class) and {linear.score:.0%} (linear model)"
        if classes
        else f"to beat: R² of 0 (the mean) and {linear.score:.2f} (linear model)"
    )
    said = f"{said}; {network.steps} steps bring the loss to {shown(own)}, a linear model's to {shown(linear.loss)}"
    if own <= max(linear.loss, 0.5 * constant):
        return passed(said, numbers)
    stands_still = network.steps >= STEPS and own > NO_BETTER * constant and not _goes_on(network)
    if stands_still and linear.loss < EASY * constant and _is_plain(case, known):
        return failed(said, numbers, advice=["The inputs tell the targets, and the network does not get at it."])
    return unknown(said, numbers, advice=["Train longer, and compare with the linear model on data kept apart."])


def _linear(inputs: Tensor, known: Understood, half: int) -> Linear:
    """Of the same loss, on standardised columns; a seed is not needed, for it begins at zero."""
    spread = inputs[:half].std(0)
    columns = (inputs - inputs[:half].mean(0)) / torch.where(spread > 0, spread, torch.ones_like(spread))
    of_classes = known.kind in ("cross_entropy", "nll")
    model = nn.Linear(columns.shape[1], known.classes if of_classes else 1, device=inputs.device)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    labels = known.labels if of_classes else known.labels.float()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        _loss(known, model(columns[:half]), labels[:half]).backward()
        optimizer.step()
    with torch.no_grad():
        loss = float(_loss(known, model(columns[:half]), labels[:half]))
        return Linear(loss=loss, score=_score(known, model(columns[half:]), labels[half:]))


def _loss(known: Understood, output: Tensor, labels: Tensor) -> Tensor:
    if known.kind in ("cross_entropy", "nll"):
        return F.cross_entropy(output, labels)
    function = {"mse": F.mse_loss, "mae": F.l1_loss}.get(known.kind, F.binary_cross_entropy_with_logits)
    return function(output.squeeze(-1), labels)


def _score(known: Understood, output: Tensor, labels: Tensor) -> float:
    if known.kind in ("cross_entropy", "nll"):
        return float((output.argmax(-1) == labels).float().mean())
    if known.kind in ("mse", "mae"):
        left = (output.squeeze(-1) - labels).square().sum()
        return float(1 - left / (labels - labels.mean()).square().sum().clamp_min(1e-12))
    return float(((output.squeeze(-1) > 0) == (labels > 0.5)).float().mean())


def _majority(known: Understood, half: int) -> float:
    values, counts = known.labels[:half].unique(return_counts=True)
    return float((known.labels[half:] == values[counts.argmax()]).float().mean())


def _constant(known: Understood, half: int) -> float:
    labels = known.labels[:half].float()
    if known.kind == "mse":
        return float(labels.var(correction=0))
    if known.kind == "mae":
        return float((labels - labels.median()).abs().mean())
    return prior_entropy(Understood(kind=known.kind, rows=known.rows[:half], labels=known.labels[:half], factor=1.0))


def _network(case: Case, half: int) -> Fit:
    """The network itself, as long as its time lasts, with the first optimizer there is."""
    learnt: Batch = map_tensors(case.batch, lambda tensor: tensor[:half] if tensor.dim() else tensor)
    by, own, make = next(iter(optimizers_for(case)))
    with case.trial() as trial:
        return fit(trial, learnt, make(trial), by=by, own=own, steps=STEPS, late=lambda: case.late)


def _goes_on(network: Fit) -> bool:
    last = network.losses[-len(network.losses) // 4 :]
    return not math.isfinite(last[-1]) or (last[0] - min(last)) > STILL * abs(last[0])


def _is_plain(case: Case, known: Understood) -> bool:
    """Whether the loss of a constant is comparable: weights and smoothing would shift it."""
    chance = chance_level(case, known)
    return chance is None or math.isclose(chance, (known.factor or 1.0) * math.log(known.classes), rel_tol=0.01)


def _by_hand() -> str:
    return "Work out the majority class's accuracy, or the variance of the targets, and fit a linear model by hand."
