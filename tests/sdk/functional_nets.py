"""Networks that call their activations as functions, and what is told of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.sdk.conftest import Offline

NAMES = ("relu", "relu_", "tanh", "tanh_", "sigmoid", "sigmoid_")
STEPS = 6  # of which the first and the last are looked at in depth
DEAD, SATURATED, ZEROS = "dead_fraction", "saturated_fraction", "relu_zero_fraction"
Forward = Callable[[Any, Tensor], Tensor]


def functions() -> list[object]:
    return [getattr(owner, name) for owner in (torch, Tensor) for name in NAMES] + [functional.relu_]


ORIGINAL = functions()


@contextmanager
def left_alone() -> Iterator[None]:
    """Functions are in the end as they were; and nothing counts as compiled that other tests had compiled."""
    torch._dynamo.reset()
    yield
    assert functions() == ORIGINAL
    assert not vars(Tensor).keys() & set(NAMES)


class Net(nn.Module):
    """Layers by name, with large weights, and what is made of them; those called ``shut…`` have units that never
    fire."""

    def __init__(self, forward: Forward, **layers: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.computed = forward
        for name, layer in layers.items():
            setattr(self, name, layer)
            for parameter in layer.parameters():
                nn.init.normal_(parameter, std=1.0 if parameter.dim() > 1 else 0.3)
            if name.startswith("shut") and isinstance(bias := getattr(layer, "bias", None), Tensor):
                nn.init.constant_(bias[:2], -1000.0)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.computed(self, inputs)


def told(offline: Offline, model: nn.Module, inputs: Tensor, *, losses: Callable[[], Tensor] | None = None) -> Any:
    """Stats of the last of some steps, all of which are sampled."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    for _ in range(STEPS):
        optimizer.zero_grad()
        (model(inputs).square().mean() if losses is None else losses()).backward()
        optimizer.step()
    assert functions() == ORIGINAL
    run.finish()
    return offline.stats(STEPS - 1)


def of_layers(stats: dict[str, dict[str, float]], stat: str) -> dict[str, float]:
    """Those of which it is told."""
    return {layer: share for layer, share in stats.get(stat, {}).items() if not math.isnan(share)}


def rows(*shape: int) -> Tensor:
    return torch.randn(16, *(shape or (6,)), generator=torch.Generator().manual_seed(1))


def pictures() -> Tensor:
    return rows(1, 10, 10)


def linear() -> dict[str, nn.Module]:
    return {"shut": nn.Linear(6, 8), "hidden": nn.Linear(8, 8), "head": nn.Linear(8, 3)}


def convolutions() -> dict[str, nn.Module]:
    return {"shut": nn.Conv2d(1, 8, 3), "hidden": nn.Conv2d(8, 8, 3), "head": nn.Linear(8, 3)}
