"""wandb.watch of gradients and parameters, offline: at every step, and at its default of every thousandth, of which the
rounds see none, so that what is timed there are its hooks and the logging of the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import wandb
from torch import nn
from torch.optim import Optimizer

from benchmarks.overhead.contestant import Calls, Contestant

DEFAULT_LOG_FREQ = 1000


def watched(*, log_freq: int) -> Callable[[nn.Module, Optimizer, Path], AbstractContextManager[Calls]]:
    """Watched as wandb's documentation has it; what it watches is sent with the loss."""

    @contextmanager
    def attach(model: nn.Module, optimizer: Optimizer, folder: Path) -> Iterator[Calls]:
        quiet = wandb.Settings(silent=True, console="off")
        if wandb.run is None:  # one for all: what is watched goes to the current one alone
            wandb.init(project="benchmarks", mode="offline", dir=folder, settings=quiet)
        wandb.watch(model, log="all", log_freq=log_freq)
        try:
            yield Calls(after_step=lambda _, loss: wandb.log({"loss": loss}))
        finally:
            wandb.finish()

    return attach


CONTESTANTS = [
    Contestant(name="wandb.watch, defaults", attach=watched(log_freq=DEFAULT_LOG_FREQ)),
    Contestant(name="wandb.watch, every step", attach=watched(log_freq=1), steps=10, warm_up=5),
]
