"""What PyTorch compiles by default, with code of its own for the processor, trains watched as it does alone."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.sdk.conftest import Offline
from tests.sdk.small_models import CLOSE, mlp, norm_of

STEPS = 6
ORDERS = ["compile, then watch", "watch, then compile", "in place"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated"),  # of the compiler's own making
    pytest.mark.filterwarnings("ignore:The .grad attribute"),
]


@pytest.fixture(autouse=True)
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One for C++, with Python's headers, and a cold cache."""
    has_one = any(map(shutil.which, (os.environ.get("CXX", "g++"), "g++", "clang++")))
    if not has_one or not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        pytest.skip("PyTorch's default backend needs a C++ compiler and Python's headers: install g++ and python3-dev")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield
    torch._dynamo.reset()


class Whole(nn.Module):
    """All layers in one: PyTorch compiles no Sequential in place."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = mlp()

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.as_tensor(self.layers(inputs))


def losses_of(order: str, run: Any = None) -> tuple[list[float], list[float]]:
    """And the norms of the first layer's gradients; a graph that breaks raises."""
    model = Whole()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    called: Any = torch.compile(model, fullgraph=True) if order == "compile, then watch" else model
    if order == "in place":
        model.compile(fullgraph=True)
    if run is not None:
        run.watch(called, optimizer, every=2, dense=2)
    if order == "watch, then compile":
        called = torch.compile(model, fullgraph=True)
    torch.manual_seed(1)
    losses, norms = [], []
    for batch in torch.randn(STEPS, 16, 4):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(called(batch), batch.sum(1, keepdim=True))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        norms.append(norm_of(model.layers[0]))
        if run is not None:
            run.log({"loss": loss})
    return losses, norms


@pytest.mark.parametrize("order", ORDERS)
def test_losses_are_bit_identical_graphs_are_whole_and_gradients_are_told(offline: Offline, order: str) -> None:
    bare, _ = losses_of(order)
    torch._dynamo.reset()
    with offline.init() as run:
        watched, norms = losses_of(order, run)

    assert watched == bare
    assert not torch._dynamo.utils.counters["graph_break"]
    assert torch._dynamo.utils.counters["inductor"]  # which has compiled it, and no other
    for step in (0, 1, 2, 4):
        assert offline.stats(step)["grad_norm"]["layers.0"] == pytest.approx(norms[step], rel=CLOSE)
        assert offline.stats(step)["update_ratio"]["layers.0"] > 0
