"""Which learning rates work, and whether the one that was chosen does."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

import torch
from torch.optim import Adam, Optimizer

from trainvitals.preflight.case import Case
from trainvitals.preflight.fitting import needs_closure
from trainvitals.preflight.losses import BINARY, OF_CLASSES, chance_level, understand
from trainvitals.preflight.verdict import UNFREEZE, Verdict, failed, passed, shown, unknown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "start simple"
SHARE: Final = 0.15
LOWEST_RATE: Final = 1e-6
HIGHEST_RATE: Final = 10.0
STEPS: Final = 60
FEWEST_STEPS: Final = 15
PASSES: Final = 4.0  # times a forward pass: what a step takes
OWN_STEPS: Final = 30
SAMPLES: Final = 64
BLOWN_UP: Final = 4.0  # times the first loss: the range test ends
HARMFUL: Final = 2.0  # times the first loss and that of chance, for the last third of the steps
IN_VAIN: Final = 0.05  # of the loss, which 30 steps on one batch take off at any rate that is not too high
HARMFUL_ANYWAY: Final = 1_000.0  # times the first loss, where chance is not known
FAR_TOO_LOW: Final = 1e-3  # in parts of the rate at which the loss falls fastest
FAR_TOO_HIGH: Final = 30.0  # the same
SMOOTH: Final = 0.7  # of the running mean that a new loss leaves


def learning_rate_range(case: Case) -> Verdict:
    """A range test – the rate grows by a factor at every step until the loss leaves – and 30 steps at the rate chosen.

    It fails if those 30 steps end far above both the first loss and chance, or in NaN; and if a rate above the one at
    which the loss falls fastest takes next to nothing off the loss of one batch, or leaves it at chance. Too low is
    never failed.
    Source: Smith 2017, "Cyclical learning rates", section 3.3.
    Cries wolf: a warm-up begins near zero (unknown), fine-tuning wants less than the test proposes; the test sees one
    batch, so take its rate as a beginning.
    """
    if not case.trainable:
        return unknown("all parameters are frozen: there is nothing to train", advice=[UNFREEZE])
    if needs_closure(case) or len(case.optimizers) > 1:
        return unknown("the range test needs one optimizer that takes plain steps", advice=["Try three rates by hand."])
    rates, losses, is_whole = _range_test(case)
    chosen = [float(group["lr"]) for optimizer in case.optimizers for group in optimizer.param_groups]
    own = max(chosen, default=0.0)
    numbers: dict[str, float | str] = {"steps": len(losses)}
    falls = _falls_fastest(rates, losses) if is_whole else None
    if falls is not None:
        numbers["falls fastest at"] = falls
    if rates and losses[-1] > BLOWN_UP * abs(losses[0]):
        numbers["leaves at"] = rates[-1]
    kind = type(case.optimizers[0]).__name__ if case.optimizers else "Adam"
    said = f"with {kind} no rate made the loss fall" if is_whole else "there was no time to try rates"
    said = f"with {kind} the loss falls fastest at {shown(falls)}" if falls else said
    if not case.optimizers:
        return unknown(said, numbers, advice=["Give optimizer= to have its rate tried."])
    numbers["chosen"] = own
    if own == 0:
        return unknown(f"{said}; the rate is 0", numbers, advice=["Fine for the first step of a warm-up."])
    after, steps = _own_steps(case)
    numbers[f"loss after {_counted(steps)} at it"] = after
    in_vain = steps == OWN_STEPS and falls is not None and own > falls and after > _untaught(case)
    if in_vain or not after <= _harmful(case):
        return failed(
            f"at the rate chosen ({shown(own)}) the loss goes from {shown(case.probe.loss)} to {shown(after)}",
            numbers,
            advice=[f"Lower it; {said}." if falls else "Lower it by factors of ten."],
        )
    if falls is None:
        harmless = f"{shown(own)}, which was chosen, does no harm within {_counted(steps)}"
        return unknown(f"{said}; {harmless}", numbers, advice=["Give it more time: seconds=60."])
    if (far_off := _far_off(own, falls, said, numbers, steps)) is not None:
        return far_off
    return passed(f"{said}; {shown(own)} was chosen, and {_counted(steps)} at it lead to {shown(after)}", numbers)


def _counted(steps: int) -> str:
    return f"{steps} step{'s' * (steps != 1)}"


def _far_off(own: float, falls: float, said: str, numbers: dict[str, float | str], steps: int) -> Verdict | None:
    if own > FAR_TOO_HIGH * falls:
        return unknown(
            f"{said}, and {shown(own)} was chosen: {_counted(steps)} on one batch bear it, a training may not",
            numbers,
            advice=[f"Begin at {shown(falls)}, or between the two, and look at the first hundred steps."],
        )
    if own < FAR_TOO_LOW * falls:
        return unknown(
            f"{said}, and {shown(own)} was chosen",
            numbers,
            advice=["Fine for a warm-up or for fine-tuning; else try ten times as much."],
        )
    return None


def _range_test(case: Case) -> tuple[list[float], list[float], bool]:
    """Rates, the loss before the step at each, smoothed, and whether it came to its end in time."""
    rates: list[float] = []
    losses: list[float] = []
    seconds = 0.6 * (case.deadline - case.clock())
    until = case.clock() + seconds
    steps = min(STEPS, max(FEWEST_STEPS, int(min(STEPS, seconds / max(PASSES * case.probe.seconds, 1e-9)))))
    growth = (HIGHEST_RATE / LOWEST_RATE) ** (1 / (steps - 1))
    with case.trial() as trial:
        optimizers: list[Optimizer] = trial.optimizers or [Adam(trial.trainable())]
        few, smooth = case.few(SAMPLES), math.nan
        for step in range(steps):
            rate = LOWEST_RATE * growth**step
            for group in (group for optimizer in optimizers for group in optimizer.param_groups):
                group["lr"] = torch.full_like(group["lr"], rate) if isinstance(group["lr"], torch.Tensor) else rate
            loss = trial.step(few, optimizers)
            smooth = loss if not losses else SMOOTH * smooth + (1 - SMOOTH) * loss
            if not math.isfinite(smooth):
                return rates, losses, True
            rates.append(rate)
            losses.append(smooth)
            if smooth > BLOWN_UP * abs(losses[0]):
                return rates, losses, True
            if case.clock() >= until:
                break
    return rates, losses, len(losses) == steps


def _falls_fastest(rates: list[float], losses: list[float]) -> float | None:
    """The rate at which a step takes most off the loss; None where it never falls by a percent."""
    if len(losses) < 3 or min(losses) > losses[0] - 0.01 * abs(losses[0]):
        return None
    falls = [before - after for before, after in pairwise(losses)]
    return rates[max(range(len(falls)), key=falls.__getitem__)]


def _own_steps(case: Case) -> tuple[float, int]:
    """The least loss of the last third of 30 steps at the rate chosen, NaN or infinity if it came to that; for how many
    of them there was time."""
    losses: list[float] = []
    with case.trial() as trial:
        for _ in range(OWN_STEPS):
            losses.append(trial.step(case.batch, trial.optimizers))
            if not math.isfinite(losses[-1]):
                return losses[-1], len(losses)
            if case.late:
                break
    return min(losses[-OWN_STEPS // 3 :]), len(losses)


def _untaught(case: Case) -> float:
    """The loss above which 30 steps have taught a network nothing of one batch."""
    first, known = case.probe.loss, understand(case)
    if known is not None and known.kind in (*OF_CLASSES, *BINARY) and (chance := chance_level(case, known)):
        first = min(first, chance)
    return first - IN_VAIN * abs(first)


def _harmful(case: Case) -> float:
    """The loss beyond which a rate does harm."""
    first, known = abs(case.probe.loss), understand(case)
    if known is not None and known.kind in (*OF_CLASSES, *BINARY) and (chance := chance_level(case, known)):
        return HARMFUL * max(first, chance)
    if known is not None and known.kind == "mse":
        return HARMFUL * max(first, float(known.labels.square().mean()) * (known.factor or 1.0))
    return HARMFUL_ANYWAY * max(first, 1.0)
