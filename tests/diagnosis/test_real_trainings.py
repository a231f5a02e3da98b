"""Real small trainings, healthy and sick, recorded by the SDK and judged by the evaluator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler

import trainvitals
from trainvitals.spool import Spool
from trainvitals.wire import coding
from trainvitals.wire.frame import decode_frame
from trainvitals.wire.messages import Finding, ModelInfo, RunEnd, RunStart
from trainvitals_server.evaluator import Evaluator
from trainvitals_server.store.interface import ReceivedFrame
from trainvitals_server.store.opening import open_store

pytestmark = pytest.mark.slow
Make = Callable[[], nn.Module]
MakeOptimizer = Callable[[Iterator[nn.Parameter]], Optimizer]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def mlp(activation: type[nn.Module] = nn.ReLU, *, depth: int = 3, norm: bool = False) -> nn.Module:
    layers: list[nn.Module] = []
    width = 32
    for _ in range(depth):
        layers += [nn.Linear(width, 64), *([nn.LayerNorm(64)] if norm else []), activation()]
        width = 64
    return nn.Sequential(*layers, nn.Linear(width, 4))


def cnn() -> nn.Module:
    return nn.Sequential(
        *(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Dropout(0.2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10)),
    )


class LeftOut(nn.Module):
    """A block that a random part of the passes goes without, as LayerDrop and experts have it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.block, self.last = nn.Linear(32, 64), nn.Linear(64, 64), nn.Linear(64, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = torch.relu(self.first(inputs))
        if torch.rand(()) > 0.3:
            hidden = hidden + torch.relu(self.block(hidden))
        return self.last(hidden)  # type: ignore[no-any-return]


def quadrants() -> tuple[Tensor, Tensor]:
    inputs = torch.randn(4096, 32)
    return inputs, (inputs[:, :8].sum(1) > 0).long() + 2 * (inputs[:, 8:16].sum(1) > 0).long()


def digits() -> tuple[Tensor, Tensor]:
    pictures, labels = load_digits(return_X_y=True)
    return torch.tensor(pictures / 16.0, dtype=torch.float32), torch.tensor(labels)


def train(
    directory: Path,
    make: Make,
    optimizer_of: MakeOptimizer,
    *,
    steps: int,
    batch: int = 64,
    data: Callable[[], tuple[Tensor, Tensor]] = quadrants,
    schedule: Callable[[Optimizer], LRScheduler] | None = None,
    clip: float | None = None,
) -> None:
    torch.manual_seed(3)
    inputs, labels = data()
    model = make()
    optimizer = optimizer_of(model.parameters())
    scheduler = schedule(optimizer) if schedule else None
    with trainvitals.init(mode="offline", directory=directory, project="tests", name="real") as run:
        run.watch(model, optimizer)
        for _ in range(steps):
            picked = torch.randint(0, len(inputs), (batch,))
            loss = nn.functional.cross_entropy(model(inputs[picked]), labels[picked])
            optimizer.zero_grad()
            loss.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
            run.log({"loss": loss})


def judged(directory: Path) -> list[Finding]:
    """What the evaluator finds in the only run of a folder."""
    (path,) = directory.rglob("*.spool")
    spool = Spool(path)
    assert spool.open()
    store = open_store(f"sqlite:///{directory}/runs.sqlite3")
    evaluator = Evaluator(store, now=lambda: 2.0, on_findings=lambda *_: None)
    evaluator.start()
    while (record := spool.next()) is not None:
        if record.kind == "start":
            store.start_run(spool.run_id, coding.decode(record.payload, RunStart), now=1.0)
        elif record.kind == "model":
            model = coding.decode(record.payload, ModelInfo)
            store.set_model(spool.run_id, model)
            evaluator.model(spool.run_id, model)
        elif record.kind == "frame":
            frame = decode_frame(record.payload)
            store.append([ReceivedFrame(frame=frame, payload=record.payload, received_at=2.0)])
            evaluator.feed(spool.run_id, [frame])
        else:
            store.end_run(spool.run_id, coding.decode(record.payload, RunEnd))
            evaluator.ended(spool.run_id)
        spool.acknowledge(record)
    assert evaluator.drain(60)
    found = store.findings(spool.run_id)
    evaluator.stop()
    store.close()
    spool.close()
    return found


def adam(rate: float) -> MakeOptimizer:
    return lambda parameters: AdamW(parameters, lr=rate)


def sgd(rate: float, momentum: float = 0.0) -> MakeOptimizer:
    return lambda parameters: SGD(parameters, lr=rate, momentum=momentum)


HEALTHY: dict[str, Callable[[Path], None]] = {
    "Adam": lambda folder: train(folder, mlp, adam(1e-3), steps=600),
    "Adam, ten times faster": lambda folder: train(folder, mlp, adam(1e-2), steps=600),
    "Adam, ten times slower": lambda folder: train(folder, mlp, adam(1e-4), steps=600),
    "SGD": lambda folder: train(folder, mlp, sgd(0.1), steps=600),
    "SGD with momentum and batches of four": lambda folder: train(folder, mlp, sgd(0.02, 0.9), steps=1000, batch=4),
    "clipped almost always": lambda folder: train(folder, mlp, sgd(0.5), steps=600, clip=0.1),
    "warm-up": lambda folder: train(
        folder, mlp, adam(3e-3), steps=600, schedule=lambda opt: LambdaLR(opt, lambda step: min(1.0, step / 200))
    ),
    "cosine to zero": lambda folder: train(
        folder, mlp, adam(3e-3), steps=800, schedule=lambda opt: CosineAnnealingLR(opt, 800)
    ),
    "eight layers with normalisation": lambda folder: train(
        folder, lambda: mlp(nn.GELU, depth=8, norm=True), adam(1e-3), steps=400
    ),
    "six layers of tanh": lambda folder: train(folder, lambda: mlp(nn.Tanh, depth=6), adam(1e-3), steps=600),
    "a block that is left out at times": lambda folder: train(folder, LeftOut, adam(1e-3), steps=400),
    "convolutions on digits": lambda folder: train(folder, cnn, adam(1e-3), steps=400, data=digits),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_training_has_no_finding_at_warning_or_above(name: str, tmp_path: Path) -> None:
    HEALTHY[name](tmp_path)
    assert [found.summary for found in judged(tmp_path) if found.severity != "info"] == []


SICK: dict[str, tuple[Callable[[Path], None], str]] = {
    "a learning rate that blows it up": (
        lambda folder: train(folder, mlp, sgd(1000.0), steps=200),
        "non_finite_values",
    ),
    "a learning rate that kills it": (lambda folder: train(folder, mlp, adam(1.0), steps=300), "dead_activations"),
    "a learning rate that moves nothing": (
        lambda folder: train(folder, mlp, adam(1e-8), steps=400),
        "updates_too_small",
    ),
    "a learning rate of zero": (lambda folder: train(folder, mlp, adam(0.0), steps=300), "layer_not_learning"),
    "twelve layers of sigmoid": (
        lambda folder: train(folder, lambda: mlp(nn.Sigmoid, depth=12), sgd(0.1), steps=400),
        "vanishing_gradients",
    ),
}


@pytest.mark.parametrize("name", SICK)
def test_a_sick_training_has_its_finding(name: str, tmp_path: Path) -> None:
    begin, rule = SICK[name]
    begin(tmp_path)
    assert rule in [found.rule for found in judged(tmp_path) if found.state == "open"]
