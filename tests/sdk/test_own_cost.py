"""What watching costs: at steps that are not sampled as good as nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def hooks_of(module: nn.Module) -> int:
    """Its own, and those of its parameters."""
    own = sum(len(getattr(module, name)) for name in HOOKS)
    of_tensors = (getattr(one, "_backward_hooks", None) for one in module.parameters(recurse=False))
    return own + sum(len(hooks) for hooks in of_tensors if hooks)


class Counting(nn.Module):
    """Counts the hooks below itself in the middle of each of its forward passes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 1)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.seen: list[int] = []

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.first(inputs)
        self.seen.append(sum(hooks_of(module) for module in self.modules() if module is not self))
        hidden, _ = self.attention(hidden, hidden, hidden)
        return torch.as_tensor(self.last(hidden))


@pytest.mark.parametrize("attention", [False, True])
def test_no_layer_has_hooks_at_a_step_that_is_not_sampled(offline: Any, attention: bool) -> None:
    model = Counting()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer, every=1000, dense=2, attention=attention)
    for _ in range(5):
        model(torch.ones(2, 3, 4)).sum().backward()
        optimizer.step()
    run.finish()
    assert [hooks > 0 for hooks in model.seen] == [True, True, False, False, False]
    assert [step for step, _ in offline.points("lr")] == [0, 1]
