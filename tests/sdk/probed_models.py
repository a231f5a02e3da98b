"""Models of every kind, with a batch as each takes it, and a loop that trains them with and without a probe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

import trainvitals

Batch = Any  # as models take it
CLASSES = 4


class Attending(nn.Module):
    """A transformer's layer: "function" calls PyTorch's attention, "hand" writes it out."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.mixed = nn.Linear(16, 48)
        self.how = how

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = (part.unflatten(-1, (2, 8)).transpose(1, 2) for part in self.mixed(tokens).chunk(3, dim=-1))
        if self.how == "function":
            found = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        else:
            found = functional.softmax(query @ key.mT, dim=-1) @ value
        answer: Tensor = found.transpose(1, 2).flatten(-2)
        return answer


class Language(nn.Module):
    """Of tokens; ``how`` it attends."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 16)
        encoder = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.block = encoder if how == "module" else Attending(how)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, tokens: Tensor) -> Tensor:
        answer: Tensor = self.head(self.block(self.embedding(tokens))[:, -1])
        return answer


class Named(nn.Module):
    """Takes its parts by their names, as those of libraries do, and answers by name."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(11, 16), nn.Linear(16, CLASSES)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Mapping[str, Tensor]:
        known = self.embedding(input_ids) * attention_mask.unsqueeze(-1)
        return {"logits": self.head(known.mean(dim=1))}


class Pair(nn.Module):
    """Takes two tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(6, CLASSES), nn.Linear(3, CLASSES)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        answer: Tensor = functional.relu(self.left(left)) + self.right(right)
        return answer


class Counting(nn.Module):
    """Notes its calls, in an attribute, a buffer and by a hook, and draws random numbers in evaluation, too."""

    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, CLASSES)
        self.calls = 0
        self.heard: Counter[str] = Counter()
        self.register_buffer("seen", torch.zeros(()))
        self.layer.register_forward_hook(lambda *_: self.heard.update(["hook"]))

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += 1
        self.seen += 1
        return functional.dropout(self.layer(inputs), training=True)


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 12, 3), nn.BatchNorm2d(12), nn.ReLU(inplace=True), nn.Dropout(0.2), nn.Conv2d(12, 8, 3),
        nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, CLASSES),
    )  # fmt: skip


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 70), nn.ReLU(), nn.Linear(70, CLASSES))


def signal() -> nn.Module:
    return nn.Sequential(nn.Conv1d(2, 9, 3), nn.ReLU(), nn.Flatten(), nn.Linear(9 * 18, CLASSES))


def tokens(examples: int) -> Tensor:
    return torch.randint(0, 11, (examples, 7))


@dataclass(frozen=True)
class Case:
    """``batch(examples)`` is what the model takes."""

    model: Callable[[], nn.Module]
    batch: Callable[[int], Batch]


CASES = {
    "convolutions": Case(cnn, lambda examples: torch.randn(examples, 3, 16, 12)),
    "convolutions of signals": Case(signal, lambda examples: torch.randn(examples, 2, 20)),
    "perceptron": Case(mlp, lambda examples: torch.randn(examples, 6)),
    "transformer": Case(lambda: Language("module"), tokens),
    "attention by function": Case(lambda: Language("function"), tokens),
    "attention by hand": Case(lambda: Language("hand"), tokens),
    "two inputs": Case(Pair, lambda examples: (torch.randn(examples, 6), torch.randn(examples, 3))),
    "named inputs": Case(
        Named, lambda examples: {"input_ids": tokens(examples), "attention_mask": torch.ones(examples, 7).long()}
    ),
    "counts its calls": Case(Counting, lambda examples: torch.randn(examples, 6)),
}


def answer_of(model: Callable[..., Any], batch: Batch) -> Tensor:
    found = (
        model(**batch) if isinstance(batch, Mapping) else model(*batch) if isinstance(batch, tuple) else model(batch)
    )
    answer: Tensor = found["logits"] if isinstance(found, Mapping) else found
    return answer


def trained(
    run: trainvitals.Run,
    case: Case,
    *,
    probe: Batch | None = None,
    steps: int = 12,
    watched_first: bool = True,
    compiled: bool = False,
    **options: Any,
) -> tuple[list[float], nn.Module]:
    """Losses, and the model; with a probe where one is given."""
    torch.manual_seed(7)
    model = case.model()
    called = torch.compile(model, backend="eager") if compiled else model
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    if watched_first:
        run.watch(called, optimizer, every=1)
    if probe is not None:
        run.probe(probe, **options)
    if not watched_first:
        run.watch(called, optimizer, every=1)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = functional.cross_entropy(answer_of(called, case.batch(8)), torch.randint(0, CLASSES, (8,)))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    run.finish()
    return losses, model
