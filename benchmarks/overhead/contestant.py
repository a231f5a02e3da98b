"""What a contestant is: a way to watch a training, and where in a step it wants to be called."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn
from torch.optim import Optimizer


def _nothing(step: int, loss: Tensor) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Called with step and loss in every step: after the backward pass, and after the optimizer's step."""

    before_step: Callable[[int, Tensor], object] = _nothing
    after_step: Callable[[int, Tensor], object] = _nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """``attach`` begins to watch, and ends with the context; files go into the folder. ``steps``: of a round, tens, as
    many as lie between two of its rarest works; fewer where every step is alike. ``warm_up``: steps before the first
    turn, such that what is done at every second, fifth or tenth step never falls on the first of a turn, which is slow.
    """

    name: str
    attach: Callable[[nn.Module, Optimizer, Path], AbstractContextManager[Calls]]
    steps: int = 100
    warm_up: int = 23
