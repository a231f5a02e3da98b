"""What watching takes of memory is no more than the README says, at the worst moment."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

import pytest
import torch
from torch import Tensor, nn
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


def inputs_of(model: nn.Sequential) -> Tensor:
    return torch.ones(BATCH, model[0].in_features if isinstance(model[0], nn.Linear) else 4096)


def most_bytes(make: Callable[[], nn.Sequential], run: trainvitals.Run | None) -> int:
    """Held at the worst moment of a training, by PyTorch's own account, beyond the model's parameters."""
    model = make()
    kind = torch.optim.SGD if make is weights_with_gaps else torch.optim.Adam  # whose own step takes more than a copy
    optimizer = kind(model.parameters(), lr=1e-4)
    inputs = inputs_of(model)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as profiled:
        if run is not None:
            run.watch(model, optimizer, every=1)
        for _ in range(STEPS):
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
