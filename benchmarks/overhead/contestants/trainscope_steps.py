"""trainscope at its defaults: norms at every step, activations at every fifth, histograms at every fiftieth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn
from torch.optim import Optimizer
from trainscope import TrainScope
from trainscope.core.config import TrainScopeConfig

from benchmarks.overhead.contestant import Calls, Contestant


@contextmanager
def scoped(model: nn.Module, optimizer: Optimizer, folder: Path) -> Iterator[Calls]:
    """Called between backward pass and optimizer, as its README has it."""
    scope = TrainScope(model, optimizer, config=TrainScopeConfig(run_dir=str(folder))).attach()
    try:
        yield Calls(before_step=lambda step, loss: scope.step(loss.item(), batch_index=step))
    finally:
        scope.detach()


CONTESTANTS = [Contestant(name="trainscope, defaults", attach=scoped, steps=50)]
