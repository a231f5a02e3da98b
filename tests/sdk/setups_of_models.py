"""Trainings whose model is out of the ordinary; each calls its observer where something happens."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.sdk.plain_reference import Observer
from tests.sdk.setups_of_loops import WIDTH, adam, an_epoch, batches, layered


def trained(observer: Observer, *, make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    model = make()
    optimizer = adam(model)
    observer.watch(model, optimizer)
    an_epoch(observer, model, optimizer)


def several_optimizers(observer: Observer) -> None:
    model = layered()
    optimizers = [torch.optim.SGD(model[:3].parameters(), lr=0.1, momentum=0.9), adam(model[3:])]
    observer.watch(model, *optimizers)
    for batch in batches():
        model.zero_grad()
        loss = model(batch).square().mean()
        loss.backward()
        for optimizer in optimizers:
            observer.step(optimizer)
        observer.ended(loss)


def gan(observer: Observer) -> None:
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(WIDTH, 8), nn.Tanh(), nn.Linear(8, WIDTH))
    critic = nn.Sequential(nn.Linear(WIDTH, 8), nn.ReLU(), nn.Linear(8, 1))
    of_critic, of_generator = torch.optim.RMSprop(critic.parameters(), lr=0.01), adam(generator)
    observer.watch({"generator": generator, "critic": critic}, of_critic, of_generator)
    for batch in batches():
        of_critic.zero_grad()
        (critic(generator(batch.flip(0)).detach()).mean() - critic(batch).mean()).backward()
        observer.step(of_critic)
        of_generator.zero_grad()
        loss = -critic(generator(batch)).mean()
        loss.backward()
        observer.step(of_generator)
        observer.ended(loss)


def several_models(observer: Observer) -> None:
    encoder, decoder = layered(), nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    optimizer = adam(encoder, decoder)
    observer.watch({"encoder": encoder, "decoder": decoder}, optimizer)
    an_epoch(observer, encoder, optimizer, called=lambda batch: decoder(encoder(batch)))


class Tied(nn.Module):
    """Two layers with one weight, and one that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH, bias=False)
        self.out.weight = self.into.weight
        self.again, self.rectifier = nn.Linear(WIDTH, WIDTH), nn.ReLU()
        self.alias = self.again

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.rectifier(self.again(self.into(inputs)))
        return torch.as_tensor(self.out(self.rectifier(self.alias(hidden))))


class Adapted(nn.Module):
    """Frozen layers with a trainable way around, as LoRA has it."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU()).requires_grad_(False)
        self.down, self.up = nn.Linear(WIDTH, 2, bias=False), nn.Linear(2, WIDTH, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.as_tensor(self.base(inputs) + self.up(self.down(inputs)))


def sparse(observer: Observer) -> None:
    torch.manual_seed(0)
    words, head = nn.Embedding(20, 4, sparse=True), nn.Linear(4, 2)
    model = nn.Sequential(words, head)
    optimizers = [torch.optim.SparseAdam(list(words.parameters()), lr=0.01), adam(head)]
    observer.watch(model, *optimizers)
    for batch in batches():
        model.zero_grad()
        loss = model(batch.abs().mul(4).long() % 20).square().mean()  # words come more than once
        loss.backward()
        for optimizer in optimizers:
            observer.step(optimizer)
        observer.ended(loss)


class Recurrent(nn.Module):
    """An RNN and attention."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(2, 4, batch_first=True)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden, _ = self.recurrent(inputs.view(len(inputs), 3, 2))
        mixed, _ = self.attention(hidden, hidden, hidden)
        return torch.as_tensor(self.head(mixed))


@dataclasses.dataclass
class Answer:
    """What a layer may give out."""

    label: str
    scores: Tensor


class Form(nn.Linear):
    """Gives its output out in another form."""

    def __init__(self, form: str) -> None:
        super().__init__(WIDTH, WIDTH)
        self.form = form

    def forward(self, inputs: Tensor) -> Any:
        scores = super().forward(inputs)
        forms = {
            "tuple": (None, scores, 1),
            "dict": {"name": "scores", "more": {"scores": scores}},
            "dataclass": Answer("scores", scores),
            "list": [[], [scores]],
        }
        return forms[self.form]


class Silent(nn.Module):
    """Gives out nothing that could be measured."""

    def forward(self, inputs: Tensor) -> str:
        return "nothing"


class Forms(nn.Module):
    """Layers whose outputs are no tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.pair, self.named = Form("tuple"), Form("dict")
        self.answer, self.nested, self.silent = Form("dataclass"), Form("list"), Silent()

    def forward(self, inputs: Tensor) -> Tensor:
        self.silent(inputs)
        answer = self.answer(self.named(self.pair(inputs)[1])["more"]["scores"])
        return torch.as_tensor(self.nested(answer.scores)[1][0])


class Recomputing(nn.Module):
    """Activation checkpointing of the middle."""

    def __init__(self, *, reentrant: bool) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(WIDTH, 8), nn.Linear(8, 2)
        self.middle = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 8), nn.Tanh())
        self.reentrant = reentrant

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = checkpoint(self.middle, self.first(inputs), use_reentrant=self.reentrant)
        return torch.as_tensor(self.last(hidden))


def recomputed(observer: Observer, *, reentrant: bool) -> None:
    torch.manual_seed(0)
    model = Recomputing(reentrant=reentrant)
    optimizer = adam(model)
    observer.watch(model, optimizer)
    for batch in batches():
        optimizer.zero_grad()
        loss = model(batch).square().mean()
        with observer.unseen():
            loss.backward()
        observer.step(optimizer)
        observer.ended(loss)


class InPlace(nn.Module):
    """What layers give out is changed by those that come after them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.rectifier = nn.Linear(WIDTH, 8), nn.BatchNorm1d(8), nn.ReLU(inplace=True)
        self.drop, self.last = nn.Dropout(0.5, inplace=True), nn.Linear(8, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.rectifier(self.drop(self.norm(self.first(inputs).mul_(3))))
        return torch.as_tensor(self.last(hidden).add_(1))
