"""What is told of the run is of all that its optimizers train, whatever layers are chosen."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from tests.sdk.small_models import CLOSE, mlp, norm_of

CHOICES: list[dict[str, Any]] = [{}, {"exclude": ["0"]}, {"include": ["0"]}]


@pytest.mark.parametrize("choice", CHOICES)
def test_norms_and_clipping_are_of_all_parameters(offline: Any, choice: dict[str, Any]) -> None:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    run = offline.init()
    run.watch(model, optimizer, every=1, **choice)
    before, after = [], []
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.ones(3, 4)).sum().mul(10).backward()
        before.append(clip_grad_norm_(model.parameters(), max_norm=2.0).item())
        after.append(norm_of(model))
        optimizer.step()
    run.finish()
    assert [norm for _, norm in offline.points("grad_norm")] == pytest.approx(after, rel=CLOSE)
    assert [norm for _, norm in offline.points("grad_norm_before_clipping")] == pytest.approx(before, rel=CLOSE)
    assert [share for _, share in offline.points("clipped_fraction")] == [1, 1, 1]


@pytest.mark.parametrize("choice", CHOICES)
def test_the_noise_scale_is_of_all_parameters(offline: Any, choice: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    run = offline.init()
    run.watch(model, optimizer, every=1, **choice)
    squares = []
    for _ in range(2):
        model(1 + torch.randn(8, 4)).mean().backward()
        squares.append(norm_of(model) ** 2)
    optimizer.step()
    run.finish()
    small, whole = 4 * squares[0], squares[1]
    expected = 8 * 2 * (small - whole) / (2 * whole - small)
    assert [scale for _, scale in offline.points("gradient_noise_scale")] == pytest.approx([expected], rel=1e-2)


def test_what_is_left_out_has_no_rows_and_may_be_sparse_frozen_or_of_no_layer(offline: Any) -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.head = nn.Embedding(20, 4, sparse=True), nn.Linear(4, 2)
            self.frozen = nn.Linear(2, 2).requires_grad_(False)

        def forward(self, words: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.frozen(self.head(self.words(words)))
            return out

    model, temperature = Reader(), nn.Parameter(torch.ones(()))
    optimizer = torch.optim.SGD([*model.parameters(), temperature], lr=0.1)
    run = offline.init()
    run.watch(model, optimizer, every=1, exclude=["words", "frozen"])
    (model(torch.tensor([1, 3, 3])) * temperature).sum().backward()
    held = [one.grad for one in (*model.parameters(), temperature) if one.grad is not None]
    expected = torch.cat([one.to_dense().flatten() for one in held]).norm().item()
    optimizer.step()
    run.finish()
    assert offline.points("grad_norm") == [(0, pytest.approx(expected, rel=CLOSE))]
    assert list(offline.stats(0)["grad_norm"]) == ["head"]


def test_a_fused_optimizer_s_gradients_are_unscaled(offline: Any) -> None:
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    run = offline.init()
    run.watch(model, optimizer, every=1, exclude=["0"])
    scaler.scale(model(torch.ones(3, 4)).sum()).backward()
    expected = norm_of(model) / 1024
    scaler.step(optimizer)
    scaler.update()
    run.finish()
    assert offline.points("grad_norm") == [(0, pytest.approx(expected, rel=CLOSE))]


def test_a_run_goes_on_where_only_what_is_left_out_is_trained(offline: Any) -> None:
    model = mlp()
    model[2].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer, every=1, include=["2"])
    model(torch.ones(3, 4)).sum().backward()
    expected = norm_of(model)
    optimizer.step()
    run.finish()
    assert offline.points("grad_norm") == [(0, pytest.approx(expected, rel=CLOSE))]
    assert offline.stats(0)["activation_mean"]["2"] is not None
