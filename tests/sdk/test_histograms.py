"""Histograms of weights, gradients and activations, counted a second way: value by value, between the edges."""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.sdk.conftest import histograms_at
from tests.sdk.plain_histograms import parts, same
from tests.sdk.small_models import mlp
from trainvitals.collector.snapshots import Cells as Taken
from trainvitals.collector.snapshots import Measured
from trainvitals.frames import histograms
from trainvitals.wire.frame import Frame
from trainvitals.wire.histograms import BINS, CELLS, EDGES, MAGNITUDES, WHOLE


class Seen:
    """A training of some steps, and what plain PyTorch says of the one at ``step``."""

    def __init__(
        self, offline: Any, model: nn.Module, batches: list[list[Tensor]], *, step: int, spoil: Any = None
    ) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        self.outputs: dict[str, list[Tensor]] = {}
        run = offline.init()
        run.watch(model, optimizer, every=1)
        for number, micro_batches in enumerate(batches):
            optimizer.zero_grad()
            handles = [
                module.register_forward_hook(
                    lambda _, __, output, name=name: self.outputs.setdefault(name, []).append(output.detach().clone())
                )
                for name, module in model.named_modules()
                if number == step and not list(module.children())
            ]
            for batch in micro_batches:
                model(batch).square().sum().backward()
            if number == step:
                self.weights = copy.deepcopy(model)
                if spoil is not None:
                    spoil(model)
                self.gradients = {
                    name: [one.grad.clone() for one in module.parameters() if one.grad is not None]
                    for name, module in model.named_modules()
                }
            optimizer.step()
            for handle in handles:
                handle.remove()
        run.finish()
        self.taken = histograms_at(offline.frames, step)
        self.frames = offline.frames


def batches(steps: int, *, passes: int = 1, rows: int = 32) -> list[list[Tensor]]:
    torch.manual_seed(1)
    return [[torch.randn(rows, 4) for _ in range(passes)] for _ in range(steps)]


def test_edges_are_symmetric_and_geometric() -> None:
    assert tuple(-edge for edge in reversed(EDGES)) == EDGES
    assert len(EDGES) == BINS + 1 == 65
    assert (MAGNITUDES[0], MAGNITUDES[-1]) == (2.0**-24, 2.0**16)
    ratios = [later / earlier for earlier, later in pairwise(MAGNITUDES)]
    assert all(2.4 < ratio <= 2.6 for ratio in ratios)


@pytest.mark.parametrize("step", [0, 10])
def test_weights_gradients_and_activations_are_counted_value_by_value(offline: Any, step: int) -> None:
    seen = Seen(offline, mlp(), batches(12), step=step)
    for layer in ("0", "2"):
        assert same(seen.taken["weights"][layer], parts(*seen.weights.get_submodule(layer).parameters()))
        assert same(seen.taken["gradients"][layer], parts(*seen.gradients[layer]))
    for layer in ("0", "1", "2"):
        assert same(seen.taken["activations"][layer], parts(*seen.outputs[layer]))
    assert not seen.taken["weights"]["1"].any()  # a tanh has none


def test_every_tenth_snapshot_has_histograms_and_the_first(offline: Any) -> None:
    seen = Seen(offline, mlp(), batches(23), step=0)
    steps = [step for frame in seen.frames if frame.histograms for step in frame.histograms.steps]
    assert steps == [0, 10, 20]


def test_accumulated_gradients_are_counted_as_the_optimizer_sees_them(offline: Any) -> None:
    seen = Seen(offline, mlp(), batches(1, passes=3), step=0)
    assert same(seen.taken["gradients"]["0"], parts(*seen.gradients["0"]))
    assert same(seen.taken["activations"]["1"], parts(*seen.outputs["1"]))
    assert len(seen.outputs["1"]) == 3


def test_a_layer_that_is_called_twice_counts_as_one_with_all_its_outputs(offline: Any) -> None:
    torch.manual_seed(0)
    shared = nn.Linear(4, 4)
    seen = Seen(offline, nn.Sequential(shared, nn.Tanh(), shared), batches(1), step=0)
    assert len(seen.outputs["0"]) == 2
    assert same(seen.taken["activations"]["0"], parts(*seen.outputs["0"]))
    assert same(seen.taken["gradients"]["0"], parts(*seen.gradients["0"]))


def test_what_is_not_finite_is_counted_apart(offline: Any) -> None:
    def spoil(model: nn.Module) -> None:
        gradient = model.get_submodule("0").weight.grad
        assert isinstance(gradient, Tensor)
        gradient.view(-1)[:4] = torch.tensor([math.nan, math.inf, -math.inf, 0.0])

    seen = Seen(offline, mlp(), batches(1), step=0, spoil=spoil)
    cells = seen.taken["gradients"]["0"]
    assert same(cells, parts(*seen.gradients["0"]))
    assert cells[BINS] == round(3 / 40 * WHOLE)


@pytest.mark.parametrize("edge", [0.0, -0.0, *MAGNITUDES, *(-edge for edge in MAGNITUDES)])
def test_a_value_on_an_edge_belongs_to_the_bin_that_is_farther_out(offline: Any, edge: float) -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False))
    with torch.no_grad():
        model[0].weight.fill_(edge)
    seen = Seen(offline, model, [[torch.zeros(1, 1)]], step=0)
    (cell,) = np.flatnonzero(seen.taken["weights"]["0"])
    assert EDGES[cell] <= edge <= EDGES[cell + 1]
    assert edge in ((EDGES[cell],) if edge >= 0 else (EDGES[cell + 1],))


def test_of_large_tensors_few_values_stand_for_all(offline: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(300, 300, bias=False))
    seen = Seen(offline, model, [[torch.randn(8, 300)]], step=0)
    taken = seen.taken["weights"]["0"].astype(int)
    assert abs(taken.sum() - WHOLE) < CELLS
    assert np.abs(taken - parts(seen.weights[0].weight)).max() < 0.01 * WHOLE


def test_what_a_sparse_gradient_does_not_hold_is_zero(offline: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(10, 3, sparse=True))
    seen = Seen(offline, model, [[torch.tensor([1, 4, 4])]], step=0)
    (gradient,) = seen.gradients["0"]
    assert same(seen.taken["gradients"]["0"], parts(gradient.to_dense()))


def test_a_frozen_layer_has_weights_and_activations_but_no_gradients(offline: Any) -> None:
    model = mlp()
    model[0].requires_grad_(False)
    seen = Seen(offline, model, batches(1), step=0)
    assert seen.taken["weights"]["0"].any()
    assert seen.taken["activations"]["0"].any()
    assert not seen.taken["gradients"]["0"].any()
    assert seen.taken["gradients"]["2"].any()


def test_half_precision_is_counted_as_it_is(offline: Any) -> None:
    model = mlp().to(torch.bfloat16)
    seen = Seen(offline, model, [[torch.randn(8, 4, dtype=torch.bfloat16)]], step=0)
    assert same(seen.taken["weights"]["0"], parts(*seen.weights[0].parameters()))
    assert same(seen.taken["activations"]["0"], parts(*seen.outputs["0"]))


@pytest.mark.parametrize("max_cells", [1, CELLS * 2, CELLS * 4, CELLS * 8, 10**6])
def test_frames_hold_no_more_than_they_may(max_cells: int) -> None:
    layers = ["a", "b"]
    numbers = torch.arange(3 * 2 * 2 * CELLS, dtype=torch.int32).view(3, 2, 2, CELLS)  # steps, kinds, layers, cells
    taken = [
        Measured(
            step=step,
            tables=[],
            grad_norm=1.0,
            histograms=Taken(
                step=step, layers=layers, kinds={"weights": numbers[step, 0], "gradients": numbers[step, 1]}
            ),
        )
        for step in range(3)
    ]
    sent = list(histograms(taken, max_cells=max_cells))
    assert all(len(one.steps) * len(one.parts) * 2 * CELLS <= max(max_cells, 2 * CELLS) for one in sent)
    found = {
        (step, kind): {layer: cells.tolist() for layer, cells in of_layers.items()}
        for one in sent
        for step in one.steps
        for kind, of_layers in histograms_at([Frame(run_id="r", writer=1, seq=0, histograms=one)], step).items()
    }
    assert found == {
        (step, kind): dict(zip(layers, numbers[step, place].tolist(), strict=True))
        for step in range(3)
        for place, kind in enumerate(("weights", "gradients"))
    }
