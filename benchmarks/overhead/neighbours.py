"""What snapshots alone cost, told by the steps beside them.

These meet the machine in the same mood, so that a hundredth can be told where whole loops differ by ten. What stays at
all steps is in both, and is not told.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from benchmarks.overhead.contestant import Contestant
from benchmarks.overhead.device import wait_for

STEPS: Final = 1000
BESIDE: Final = 12  # steps on each side


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Of a training's first thousand steps: how many were sampled, what one of them took beyond its neighbours, in
    steps, and all of them together as a share of the steps; ``later``: the share beyond the contestant's warm-up."""

    snapshots: int
    each: float
    share: float
    later: float


def beside(
    contestant: Contestant, make: Callable[[], tuple[nn.Module, Tensor]], *, device: torch.device, folder: Path
) -> Told:
    """Train, and hold sampled steps against those around them. A step is sampled where a layer within has a hook."""
    torch.manual_seed(0)
    model, data = make()
    model, data = model.to(device), data.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    within = next(part for part in model.modules() if part is not model and not any(part.children()))
    seconds, sampled = [], []
    with contestant.attach(model, optimizer, folder) as calls:
        for step in range(STEPS):
            wait_for(device)
            begun = time.perf_counter()
            loss = torch.as_tensor(model(data)).square().mean()
            sampled.append(bool(within._forward_hooks))
            optimizer.zero_grad()
            loss.backward()
            calls.before_step(step, loss)
            optimizer.step()
            calls.after_step(step, loss)
            wait_for(device)
            seconds.append(time.perf_counter() - begun)
    return tell(seconds, sampled, warm_up=contestant.warm_up)


def tell(seconds: list[float], sampled: list[bool], *, warm_up: int) -> Told:
    """A snapshot slows the step after it, too: hooks go, and memory comes back. What begins densely has no neighbours
    on its left, and is held against those on its right."""
    plain = [step for step in range(1, len(seconds)) if not sampled[step] and not sampled[step - 1]]
    plain = plain or [step for step in range(len(seconds)) if not sampled[step]]
    if not plain or not any(sampled):
        raise ValueError("all steps were sampled, or none: there is nothing to hold one against")
    beyond: dict[int, float] = {}
    for step in (step for step, is_one in enumerate(sampled) if is_one):
        near = [other for other in plain if abs(other - step) <= BESIDE] or plain[: 2 * BESIDE]
        usual = statistics.median(seconds[other] for other in near)
        after = [step + 1] if step + 1 < len(seconds) and not sampled[step + 1] else []
        beyond[step] = sum(seconds[one] - usual for one in (step, *after)) / usual
    late = [excess for step, excess in beyond.items() if step >= warm_up]
    return Told(
        snapshots=len(beyond),
        each=statistics.mean(beyond.values()),
        share=sum(beyond.values()) / len(seconds),
        later=sum(late) / (len(seconds) - warm_up),
    )
