"""The loop that nobody watches, twice: what the second differs from the first is the machine's noise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn
from torch.optim import Optimizer

from benchmarks.overhead.contestant import Calls, Contestant


@contextmanager
def alone(model: nn.Module, optimizer: Optimizer, folder: Path) -> Iterator[Calls]:
    """Nothing."""
    yield Calls()


CONTESTANTS = [Contestant(name="bare", attach=alone), Contestant(name="bare, again", attach=alone)]
