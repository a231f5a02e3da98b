"""Trainings whose loop is out of the ordinary; each calls its observer where something happens."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from tests.sdk.plain_reference import Observer

STEPS = 6  # the first and the last are looked at in depth
WIDTH = 6


def layered() -> nn.Sequential:
    """With something to tell for every stat: a norm, a rectifier of which a unit is dead, a layer that saturates."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(WIDTH, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3)
    )
    with torch.no_grad():
        model[1].bias[0] = -100.0
        model[3].weight.mul_(4)
    return model


def batches(count: int = STEPS, rows: int = 16) -> Iterator[Tensor]:
    """The same for everybody."""
    generator = torch.Generator().manual_seed(1)
    return (torch.randn(rows, WIDTH, generator=generator) for _ in range(count))


def adam(*models: nn.Module) -> torch.optim.Adam:
    """Of all that can be trained."""
    return torch.optim.Adam([one for model in models for one in model.parameters() if one.requires_grad], lr=0.01)


def an_epoch(
    observer: Observer, model: nn.Module, optimizer: torch.optim.Optimizer, data: Any = None, *, called: Any = None
) -> None:
    """The ordinary loop."""
    for batch in batches() if data is None else data:
        optimizer.zero_grad()
        loss = (called or model)(batch).square().mean()
        loss.backward()
        observer.step(optimizer)
        observer.ended(loss)


def ordinary(observer: Observer) -> None:
    model = layered()
    optimizer = adam(model)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    observer.watch(model, optimizer)
    for batch in batches():
        an_epoch(observer, model, optimizer, [batch])
        schedule.step()


def accumulation(observer: Observer) -> None:
    model = layered()
    optimizer = adam(model)
    observer.watch(model, optimizer)
    for batch in batches(rows=24):
        optimizer.zero_grad()
        for part in batch.chunk(3):
            loss = model(part).square().mean() / 3
            loss.backward()
        observer.step(optimizer)
        observer.ended(loss)


def scaled(observer: Observer) -> None:
    model = layered()
    optimizer = adam(model)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2)
    observer.watch(model, optimizer)
    for index, batch in enumerate(batches(STEPS + 1)):
        optimizer.zero_grad()
        loss = model(batch).square().mean() * (torch.inf if index == 2 else 1.0)
        scaler.scale(loss).backward()
        observer.step(optimizer, scaler=scaler)
        scaler.update()
        observer.ended(loss)


def clipped(observer: Observer) -> None:
    model = layered()
    optimizer = adam(model)
    observer.watch(model, optimizer)
    for index, batch in enumerate(batches()):
        optimizer.zero_grad()
        loss = model(batch * (index + 1)).square().mean()
        loss.backward()
        observer.clip(model.parameters(), max_norm=0.5)
        observer.step(optimizer)
        observer.ended(loss)


def autocast(observer: Observer) -> None:
    model = layered()
    optimizer = adam(model)
    observer.watch(model, optimizer)
    for batch in batches():
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(batch).float().square().mean()
        loss.backward()
        observer.step(optimizer)
        observer.ended(loss)


def compiled_before(observer: Observer) -> None:
    model = layered()
    called = observer.compiled(model)
    optimizer = adam(model)
    observer.watch(called, optimizer)
    an_epoch(observer, model, optimizer, called=called)


def compiled_after(observer: Observer) -> None:
    model = layered()
    optimizer = adam(model)
    observer.watch(model, optimizer)
    an_epoch(observer, model, optimizer, called=observer.compiled(model))


class Whole(nn.Module):
    """All layers in one."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = layered()

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.as_tensor(self.layers(inputs))


def compiled_in_place(observer: Observer) -> None:
    model = Whole()
    optimizer = adam(model)
    observer.compile(model)
    observer.watch(model, optimizer)
    an_epoch(observer, model, optimizer)


def compiled_in_part(observer: Observer) -> None:
    model = layered()
    body = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    optimizer = adam(model, body)
    whole = nn.ModuleDict({"head": model, "body": observer.compiled(body)})
    observer.watch({"": whole}, optimizer)
    an_epoch(observer, whole, optimizer, called=lambda batch: whole["body"](model(batch)))


def compiled_loss(observer: Observer) -> None:
    model = layered()
    optimizer = adam(model)
    observer.watch(model, optimizer)
    loss_of = observer.compiled(lambda batch: model(batch).square())
    an_epoch(observer, model, optimizer, called=lambda batch: loss_of(batch).sqrt())


def compiled_step(observer: Observer) -> None:
    model = layered()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    observer.watch(model, optimizer)

    def step(batch: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = torch.as_tensor(model(batch).square().mean())
        loss.backward()
        optimizer.step()
        return loss

    compiled = observer.compiled(step)
    for batch in batches(80):
        observer.ended(compiled(batch))


def evaluated(observer: Observer) -> None:
    model = layered()
    optimizer = adam(model)
    observer.watch(model, optimizer)
    for batch in batches():
        with observer.unseen():
            model.eval()
            model(batch * 1e3)  # gradients enabled, as in a search for adversarial examples
            with torch.no_grad():
                model(batch * 1e3)
            model.train()
            with torch.no_grad():
                model(batch * 1e3)
        an_epoch(observer, model, optimizer, [batch])


def closures(observer: Observer) -> None:
    model = layered()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)
    observer.watch(model, optimizer)
    for batch in batches():

        def closure(batch: Tensor = batch) -> Tensor:
            optimizer.zero_grad()
            loss = torch.as_tensor(model(batch).square().mean())
            loss.backward()
            return loss

        observer.step(optimizer, closure=closure)
        with observer.unseen(), torch.no_grad():
            loss = model.eval()(batch).square().mean()
        model.train()
        observer.ended(loss)


def in_parallel(observer: Observer) -> None:
    model = layered()
    optimizer = adam(model)
    called = DataParallel(model)  # on a CPU it hands everything to the one model that it has
    observer.watch(called, optimizer)
    an_epoch(observer, model, optimizer, called=called)


def distributed(observer: Observer) -> None:
    """One of two processes, each with its half of the batches."""
    rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
    model = layered()
    optimizer = adam(model)
    called = DistributedDataParallel(model)
    observer.watch(called, optimizer)
    an_epoch(observer, model, optimizer, (batch.chunk(ranks)[rank] for batch in batches()), called=called)


def copied(observer: Observer) -> None:
    model = layered()
    optimizer = adam(model)
    observer.watch(model, optimizer)
    for batch in batches():
        an_epoch(observer, model, optimizer, [batch])
        saved = io.BytesIO()
        torch.save(model, saved)
        saved.seek(0)
        loaded = torch.load(saved, weights_only=False)
        copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), loaded]
        for one in copies:  # which train on their own, as an average of weights or a second start would
            one(batch * 1e3).sum().backward()
            adam(one).step()


def left_alone(observer: Observer) -> None:
    model = layered()
    optimizer = adam(model)
    data = list(batches(3 * STEPS))
    observer.watch(model, optimizer)
    an_epoch(observer, model, optimizer, data[:STEPS])
    observer.unwatch()
    an_epoch(observer, model, optimizer, data[STEPS : 2 * STEPS])
    observer.watch(model, optimizer)
    an_epoch(observer, model, optimizer, data[2 * STEPS :])


class Fuse(nn.Module):
    """Breaks when it is given a batch of two rows."""

    def forward(self, inputs: Tensor) -> Tensor:
        if len(inputs) == 2:
            raise RuntimeError("half-way")
        return inputs


class Snag(torch.autograd.Function):
    """Breaks in the backward pass."""

    @staticmethod
    def forward(context: Any, inputs: Tensor) -> Tensor:
        return inputs.clone()

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        raise RuntimeError("half-way")


def failing(observer: Observer) -> None:
    model = layered()
    model.insert(5, Fuse())
    optimizer = adam(model)
    observer.watch(model, optimizer)

    for batch in batches():
        optimizer.zero_grad()
        with pytest.raises(RuntimeError, match="half-way"):
            model(batch[:2])  # the layers before the fuse have worked
        loss = Snag.apply(model(batch)).sum()
        with pytest.raises(RuntimeError, match="half-way"):
            loss.backward()
        an_epoch(observer, model, optimizer, [batch])
