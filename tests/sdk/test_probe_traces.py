"""What a forward keeps to itself is as it was after a look, or nothing is looked into; odd batches cost no training."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.sdk.conftest import Offline
from tests.sdk.probed_models import CLASSES
from tests.sdk.test_probe import looks_of


class Changing(nn.Module):
    """Keeps much to itself in each forward: an auxiliary loss in a list, an average, a count by way of ``data``."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.slow = nn.Linear(6, CLASSES), nn.Linear(6, CLASSES).requires_grad_(False)
        self.losses: list[Tensor] = []
        self.seen = {"passes": 0}
        self.average = torch.zeros(CLASSES)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, inputs: Tensor) -> Tensor:
        self.slow.weight.data = 0.9 * self.slow.weight.data + 0.1 * self.layer.weight.data
        self.count.data.add_(1)
        answer: Tensor = self.layer(inputs) + self.slow(inputs)
        self.losses.append(answer.square().mean())
        self.seen["passes"] += 1
        self.average.data.lerp_(answer.detach().mean(0), 0.5)
        return answer


def test_what_a_forward_keeps_to_itself_is_as_it_was(offline: Offline) -> None:
    def trained(*, seen: bool) -> tuple[Tensor, ...]:
        torch.manual_seed(0)
        model, run = Changing(), offline.init() if seen else None
        optimizer = torch.optim.SGD([*model.layer.parameters()], lr=0.1)
        if run is not None:
            run.watch(model, optimizer)
            run.probe(torch.ones(3, 6), every=1)
        for _ in range(4):
            (model(torch.randn(4, 6)).sum() + sum(model.losses)).backward()
            model.losses.clear()
            optimizer.step()
            optimizer.zero_grad()
        if run is not None:
            run.finish()
        return model.layer.weight, model.slow.weight, model.average, model.count, torch.tensor(model.seen["passes"])

    assert all(torch.equal(one, other) for one, other in zip(trained(seen=True), trained(seen=False), strict=True))
    assert len(looks_of(offline)) == 4


class Renormed(nn.Module):
    """Bounds its weights in place in each forward, as EEGNet does."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        self.layer.weight.data.renorm_(2, 0, 0.1)
        answer: Tensor = self.layer(inputs)
        return answer


def test_a_forward_that_changes_its_weights_in_place_is_not_looked_into(
    offline: Offline, capsys: pytest.CaptureFixture[str]
) -> None:
    run, model = offline.init(), Renormed()
    optimizer = torch.optim.SGD(model.parameters(), lr=10.0)
    run.watch(model, optimizer)
    run.probe(torch.ones(3, 6), every=1)
    model(torch.randn(4, 6)).sum().backward()
    optimizer.step()
    left = model.layer.weight.detach().norm().item()
    run.finish()

    assert left > 1.0
    assert looks_of(offline) == []
    assert "its forward changes parameters" in capsys.readouterr().err


def test_a_batch_that_cannot_be_kept_is_told_of_and_costs_nothing(
    offline: Offline, capsys: pytest.CaptureFixture[str]
) -> None:
    run = offline.init()
    run.probe(torch.ones(3, 6, device="meta"))
    run.finish()

    assert "this batch cannot be kept" in capsys.readouterr().err
