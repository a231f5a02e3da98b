"""Settings of optimizers that a schedule changes while the training goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch.optim import Optimizer


class Schedules:
    """Momentum and weight decay of each parameter group, told from when they first change: what never does is among
    the optimizer's settings. What lies in a tensor is left out, for reading it could make the training wait."""

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self._optimizers = list(optimizers)
        self._first: dict[str, float] = {}
        self._changed: set[str] = set()

    def metrics(self) -> dict[str, float]:
        """``momentum``, ``beta1`` (Adam's) and ``weight_decay`` of the first group, ``momentum/1`` … of the others."""
        now = dict(self._named())
        self._changed.update(name for name, value in now.items() if self._first.setdefault(name, value) != value)
        return {name: value for name, value in now.items() if name in self._changed}

    def _named(self) -> Iterator[tuple[str, float]]:
        groups = (group for optimizer in self._optimizers for group in optimizer.param_groups)
        for index, group in enumerate(groups):
            for name, value in _settings(group):
                if isinstance(value, (int, float)):
                    yield (f"{name}/{index}" if index else name), float(value)


def _settings(group: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:  # Any: the optimizer's own
    betas = group.get("betas")
    yield "momentum", group.get("momentum")
    yield "beta1", betas[0] if isinstance(betas, (tuple, list)) and betas else None
    yield "weight_decay", group.get("weight_decay")
