"""What watching takes of memory is no more than the README says, at the worst moment."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

import trainvitals
from tests.sdk.small_models import Through

COPIES, MORE_FOR_A_MOMENT = 4, 2
PARAMETER_BYTES = 64 * 1024  # of a copy, at most
OUTPUT_BYTES = 32 * 1024  # of a layer's output, at most …
TIMES_WHILE_REDUCED = 4
BATCH_BYTES = 4 * 1024 * 1024  # of a batch in two dimensions, at most
WAY_BYTES = 2 * 1024  # of a layer, in each snapshot on its way
BATCH = 64
STEPS = 2  # the first with all stats and histograms
KEY_BYTES = 8 * 1024 * 1024  # of the heads that are looked at, at most
LOGIT_BYTES = 2 * 1024 * 1024  # of 64 queries against 8,192 keys
A_FEW = 4


def one_large() -> nn.Sequential:
    return nn.Sequential(nn.Linear(1024, 4096), nn.ReLU(), nn.Linear(4096, 1))


def many_small() -> nn.Sequential:
    return nn.Sequential(*(nn.Linear(16, 16) for _ in range(200)))


def with_gaps() -> nn.Sequential:
    """Outputs that copies without gaps would take megabytes of."""
    return nn.Sequential(
        Through(lambda given: given[:, 5:-3]),
        Through(lambda given: given[:, ::2]),
        Through(lambda given: given.t()),
        Through(lambda given: given.t().unsqueeze(0).expand(32, -1, -1)),
        Through(lambda given: given[0, :, :1000]),
        nn.Linear(1000, 1),
    )


def weights_with_gaps() -> nn.Sequential:
    """Whose gradients lie without: copies that are laid out as the weights would take megabytes."""
    model = nn.Sequential(*(nn.Linear(512, 512) for _ in range(8)))
    for layer in model:
        layer.weight = nn.Parameter(torch.randn(512, 1024)[:, ::2])
    return model


class Attending(nn.Module):
    """Two queries to each of 128 heads against many keys, of which no gradient is asked."""

    heads, length, width = 128, 8192, 16

    def __init__(self) -> None:
        super().__init__()
        self.keys = torch.randn(1, self.heads, self.length, self.width)

    def forward(self, queries: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(queries, self.keys, self.keys)


def attending() -> nn.Sequential:
    return nn.Sequential(Attending(), nn.Linear(Attending.width, 1))


def inputs_of(model: nn.Sequential) -> Tensor:
    if isinstance(model[0], Attending):
        return torch.ones(1, Attending.heads, 2, Attending.width)
    return torch.ones(BATCH, model[0].in_features if isinstance(model[0], nn.Linear) else 4096)


def most_bytes(
    make: Callable[[], nn.Sequential], run: trainvitals.Run | None, *, steps: int = STEPS, attention: bool = False
) -> int:
    """Held at the worst moment of a training, by PyTorch's own account, beyond the model's parameters."""
    model = make()
    kind = torch.optim.SGD if make is weights_with_gaps else torch.optim.Adam  # whose own step takes more than a copy
    optimizer = kind(model.parameters(), lr=1e-4)
    inputs = inputs_of(model)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as profiled:
        if run is not None:
            run.watch(model, optimizer, every=1, attention=attention)
        for _ in range(steps):
            optimizer.zero_grad()
            model(inputs).square().mean().backward()
            optimizer.step()
    events = profiled.profiler.kineto_results.events()  # type: ignore[union-attr]  # it has run
    return max(accumulate(event.nbytes() for event in events if event.name() == "[memory]"))


def bytes_that_are_said(model: nn.Sequential) -> int:
    copy = sum(min(4 * parameter.numel(), PARAMETER_BYTES) for parameter in model.parameters())
    hidden, outputs = inputs_of(model), 0
    batch = min(4 * hidden.numel(), BATCH_BYTES)
    for layer in model:
        hidden = layer(hidden)
        outputs += min(4 * hidden.numel(), OUTPUT_BYTES)
    way = STEPS * WAY_BYTES * len(model)
    return COPIES * copy + max(MORE_FOR_A_MOMENT * copy, TIMES_WHILE_REDUCED * outputs, batch) + way


@pytest.mark.parametrize("make", [one_large, many_small, with_gaps, weights_with_gaps])
def test_watching_takes_no_more_memory_than_is_said(offline: Any, make: Callable[[], nn.Sequential]) -> None:
    bare = most_bytes(make, None)
    run = offline.init()
    watched = most_bytes(make, run)
    run.finish()
    assert watched - bare <= bytes_that_are_said(make())


def test_of_a_large_parameter_no_copy_is_kept() -> None:
    model = one_large()
    assert bytes_that_are_said(model) < 4 * model[0].weight.numel() / 10


def test_looking_at_attention_takes_no_more_memory_than_is_said(offline: Any) -> None:
    bare = most_bytes(attending, None)
    run = offline.init()
    watched = most_bytes(attending, run, steps=6, attention=True)  # the sixth is looked at in depth
    run.finish()
    assert offline.stats(5)["attention_entropy"]["0"] > 0
    of_all_keys = 4 * Attending.heads * Attending.length * Attending.width
    assert of_all_keys > 2 * (KEY_BYTES + A_FEW * LOGIT_BYTES)
    assert watched - bare <= bytes_that_are_said(attending()) + KEY_BYTES + A_FEW * LOGIT_BYTES
