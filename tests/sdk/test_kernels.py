"""What a snapshot costs, told without a clock: the kernels that it dispatches beyond those of the training."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import trainvitals as tv

STEPS = 12
PLAIN, IN_DEPTH, WITH_HISTOGRAMS = range(1, 5), (5,), (10,)  # of steps that are all sampled
LAYERS = (1, 4, 16)
NARROW, WIDE = 8, 200  # of weights all are looked at, and few
# Kernels of a snapshot, and of each layer (with the ReLU behind it) more: a tenth above what they are.
# What raises them makes every snapshot dearer, on a GPU above all, where a kernel costs the same however small.
MOST = {
    (NARROW, PLAIN): (100, 10),
    (NARROW, IN_DEPTH): (205, 17),
    (NARROW, WITH_HISTOGRAMS): (310, 17),
    (WIDE, PLAIN): (100, 17),
    (WIDE, IN_DEPTH): (205, 29),
    (WIDE, WITH_HISTOGRAMS): (310, 31),
}


class Kernels(TorchDispatchMode):
    """Counts by name what is dispatched on this thread, the backward pass on a CPU included."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[str(func)] += 1
        return func(*args, **(kwargs or {}))


def dispatched(folder: Path | None, *, layers: int, width: int, every: int = 1) -> list[Counter[str]]:
    """By step; without a folder nothing is watched."""
    torch.manual_seed(0)
    model = nn.Sequential(*(part for _ in range(layers) for part in (nn.Linear(width, width), nn.ReLU())))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    run = None if folder is None else tv.init(mode="offline", directory=folder)
    if run is not None:
        run.watch(model, optimizer, every=every, dense=0)
    found = []
    for _ in range(STEPS):
        with Kernels() as kernels:
            optimizer.zero_grad()
            model(torch.ones(4, width)).sum().backward()
            optimizer.step()
        found.append(kernels.counts)
    if run is not None:
        run.finish()
    return found


@pytest.mark.parametrize("width", [NARROW, WIDE], ids="width={}".format)
@pytest.mark.parametrize("layers", LAYERS, ids="layers={}".format)
def test_a_snapshot_dispatches_no_more_kernels_than_it_did(tmp_path: Path, layers: int, width: int) -> None:
    bare = dispatched(None, layers=layers, width=width)
    watched = dispatched(tmp_path, layers=layers, width=width)
    beyond = [ours.total() - theirs.total() for ours, theirs in zip(watched, bare, strict=True)]
    for steps in (PLAIN, IN_DEPTH, WITH_HISTOGRAMS):
        at_all, of_each = MOST[width, steps]
        assert 0 < max(beyond[step] for step in steps) <= at_all + of_each * layers, (steps, beyond)


def test_a_step_that_is_not_sampled_dispatches_none(tmp_path: Path) -> None:
    bare = dispatched(None, layers=4, width=WIDE)
    watched = dispatched(tmp_path, layers=4, width=WIDE, every=1000)
    assert watched[0].total() > bare[0].total()
    assert watched[1:] == bare[1:]
