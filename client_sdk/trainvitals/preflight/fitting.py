"""Short trainings of a trial on one batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from trainvitals.preflight.batches import Batch
from trainvitals.preflight.case import Case
from trainvitals.preflight.trial import Trial

RATES: Final = (1e-3, 1e-2, 1e-4)  # of Adam: what fits most networks, and one step to either side
DONE: Final = 0.1  # of the first loss: learnt


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a loss went. ``by``: the optimizer, for people; ``own``: it was the user's."""

    losses: list[float]
    by: str
    own: bool

    @property
    def first(self) -> float:
        """Before the first step."""
        return self.losses[0]

    @property
    def lowest(self) -> float:
        """The best that was reached; infinity where nothing was finite."""
        return min((loss for loss in self.losses if math.isfinite(loss)), default=math.inf)

    @property
    def steps(self) -> int:
        """How many were made."""
        return len(self.losses) - 1

    @property
    def fallen(self) -> float:
        """By which share of the first loss it fell; 1 or more for losses that fall below zero."""
        return (self.first - self.lowest) / max(abs(self.first), 1e-12)

    @property
    def learnt(self) -> bool:
        """Whether next to nothing is left of the first loss."""
        return self.first > 0 and self.lowest <= DONE * self.first


Make = Callable[[Trial], Sequence[Optimizer]]


def optimizers_for(case: Case) -> Iterator[tuple[str, bool, Make]]:
    """(name for people, whether the user's own, how to make it): the user's own, where it moves anything, then Adam."""
    rates = [group["lr"] for optimizer in case.optimizers for group in optimizer.param_groups if "lr" in group]
    if case.optimizers and any(float(rate) > 0 for rate in rates) and not needs_closure(case):
        names = " and ".join(type(optimizer).__name__ for optimizer in case.optimizers)
        yield f"your {names}", True, lambda trial: trial.optimizers
    for rate in RATES:
        yield f"Adam(lr={rate:g})", False, _adam(rate)


def fit(
    trial: Trial,
    batch: Batch,
    optimizers: Sequence[Optimizer],
    *,
    by: str,
    own: bool,
    steps: int,
    late: Callable[[], bool],
) -> Fit:
    """Train until ``steps`` are made, it is late, the loss has all but vanished, or is no number any more."""
    losses: list[float] = []
    for _ in range(steps):
        losses.append(trial.step(batch, optimizers))
        if not math.isfinite(losses[-1]) or (len(losses) > 1 and losses[0] > 0 and losses[-1] <= DONE * losses[0]):
            return Fit(losses=losses, by=by, own=own)
        if late():
            break
    with torch.no_grad():
        losses.append(trial.run(batch).loss.item())
    return Fit(losses=losses, by=by, own=own)


def needs_closure(case: Case) -> bool:
    """Whether an optimizer evaluates the loss by itself, as L-BFGS does."""
    return any(isinstance(optimizer, torch.optim.LBFGS) for optimizer in case.optimizers)


def squared_norm(gradients: Sequence[Tensor | None]) -> float:
    """Of all of them together."""
    return sum(float(gradient.detach().float().square().sum()) for gradient in gradients if gradient is not None)


def _adam(rate: float) -> Make:
    return lambda trial: [Adam(trial.trainable(), lr=rate)]
