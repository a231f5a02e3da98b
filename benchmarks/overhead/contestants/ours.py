"""trainvitals, offline: at its defaults, which keep to a budget, in the first thousand steps, of which fifty are
sampled whatever that costs, and in later ones; at every step; and at none of those that are timed, which tells what a
step costs that is not sampled."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stderr
from pathlib import Path

from torch import nn
from torch.optim import Optimizer

import trainvitals as tv
from benchmarks.overhead.contestant import Calls, Contestant

BEYOND_DENSE_START = 67  # steps; the first fifty may be sampled densely
BEYOND_FIRST_THOUSAND = 1067
NEVER_AGAIN = 10**9  # steps between snapshots: none once the dense start is over


def watched(*, every: int | None) -> Callable[[nn.Module, Optimizer, Path], AbstractContextManager[Calls]]:
    """Watched as the README has it; the loss is logged, too."""

    @contextmanager
    def attach(model: nn.Module, optimizer: Optimizer, folder: Path) -> Iterator[Calls]:
        with redirect_stderr(io.StringIO()), tv.init(project="benchmarks", mode="offline", directory=folder) as run:
            run.watch(model, optimizer, every=every)
            yield Calls(after_step=lambda _, loss: run.log({"loss": loss}))

    return attach


CONTESTANTS = [
    Contestant(name="trainvitals, defaults", attach=watched(every=None), warm_up=BEYOND_DENSE_START),
    Contestant(name="trainvitals, defaults, later", attach=watched(every=None), warm_up=BEYOND_FIRST_THOUSAND),
    Contestant(name="trainvitals, every step", attach=watched(every=1), warm_up=BEYOND_DENSE_START),
    Contestant(name="trainvitals, between samples", attach=watched(every=NEVER_AGAIN), warm_up=BEYOND_DENSE_START),
]
