"""The place where a case is trained: an offline run of the SDK, and the loop that most cases share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

import trainvitals as tv

Batches = Iterator[tuple[Tensor, Tensor]]
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """``run`` is the run that records the case; ``seed`` has been set; ``rank``: of several processes which this is."""

    run: tv.Run
    seed: int
    rank: int = 0

    @property
    def own_seed(self) -> int:
        """Another one on each rank, for data of its own."""
        return 100 * self.seed + self.rank

    def fit(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        batches: Batches,
        *,
        steps: int,
        loss_fn: Loss | None = None,
        schedule: Any = None,  # Any: torch's schedulers share no base that is public
        clip: float | None = None,
        accumulate: int = 1,
        before_step: Callable[[int], None] = lambda step: None,
        after_step: Callable[[int], None] = lambda step: None,
        validate: Callable[[], dict[str, float]] | None = None,
        validate_every: int = 50,
        attention: bool = False,
        scaler: torch.amp.GradScaler | None = None,
        every: int | None = None,
    ) -> None:
        """Train as most scripts do: forward, backward, clip, step, log. ``before_step`` is called between backward
        and the optimizer's step. The loss is cross entropy if none is given. ``scaler`` may skip steps, which count
        among ``steps``; ``every``: steps between snapshots."""
        model.train()
        loss_fn = loss_fn or nn.CrossEntropyLoss()
        scaler = scaler or torch.amp.GradScaler("cpu", enabled=False)
        self.run.watch(model, optimizer, attention=attention, every=every)
        for step in range(steps):
            optimizer.zero_grad()
            total = torch.zeros(())
            for _ in range(accumulate):
                inputs, targets = next(batches)
                loss = loss_fn(model(inputs), targets) / accumulate
                scaler.scale(loss).backward()
                total = total + loss.detach()
            before_step(step)
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            scaler.step(optimizer)
            scaler.update()
            if schedule is not None:
                schedule.step()
            self.run.log({"loss": total})
            after_step(step)
            if validate is not None and step % validate_every == validate_every - 1:
                self.run.log(validate())
