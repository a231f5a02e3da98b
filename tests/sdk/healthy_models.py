"""Models and losses of healthy trainings, each of a kind that some check could cry wolf at."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.checkpoint import checkpoint


class LastStep(nn.Module):
    """A recurrent classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(6, 16, num_layers=2, batch_first=True, dropout=0.1)
        self.head = nn.Linear(16, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.rnn(inputs)[0][:, -1])


class Tagger(nn.Module):
    """Time first, samples second, a tag for each word."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 8)
        self.rnn = nn.LSTM(8, 16)
        self.head = nn.Linear(16, 4)

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.rnn(self.words(words))[0])


class Causal(nn.Module):
    """A transformer that tells the next word, its head tied to its embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(30, 16), nn.Embedding(12, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True, norm_first=True)
        self.head = nn.Linear(16, 30, bias=False)
        nn.init.normal_(self.words.weight, std=0.02)
        self.head.weight = self.words.weight

    def forward(self, words: Tensor) -> Tensor:
        size = words.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(size)
        hidden = self.words(words) + self.places(torch.arange(size))
        return self.head(self.layer(hidden, mask, is_causal=True))


def info_nce(views: tuple[Tensor, Tensor], _: Any) -> Tensor:
    first, second = (F.normalize(view, dim=-1) for view in views)
    return F.cross_entropy(first @ second.T / 0.1, torch.arange(len(first)))


class TwoViews(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 16))

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        return self.encoder(first), self.encoder(second)


def supervised_contrastive(features: Tensor, labels: Tensor) -> Tensor:
    features = F.normalize(features, dim=-1)
    same = (labels[:, None] == labels) & ~torch.eye(len(labels), dtype=torch.bool)
    logits = (features @ features.T).masked_fill(torch.eye(len(labels), dtype=torch.bool), -1e9)
    return -(F.log_softmax(logits, -1) * same).sum(1).div(same.sum(1).clamp_min(1)).mean()


class Autoencoder(nn.Module):
    """A variational one: noise in the middle, a loss of two parts."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(16, 8), nn.Linear(4, 16)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encoder(inputs).chunk(2, -1)
        return self.decoder(mean + torch.randn_like(mean) * (log_variance / 2).exp()), mean, log_variance


def elbo(output: tuple[Tensor, Tensor, Tensor], inputs: Tensor) -> Tensor:
    decoded, mean, log_variance = output
    divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
    return (decoded - inputs).square().sum(1).mean() + divergence


class Stateful(nn.Module):
    """It goes on from where the last batch ended, as truncated backpropagation through time does."""

    def __init__(self, *, detaches: bool) -> None:
        super().__init__()
        self.rnn, self.head = nn.GRU(12, 16, batch_first=True), nn.Linear(16, 5)
        self.detaches, self.state = detaches, torch.zeros(0)

    def forward(self, inputs: Tensor) -> Tensor:
        fits = self.state.dim() == 3 and self.state.shape[1] == len(inputs)
        hidden, state = self.rnn(inputs[:, None], self.state if fits else None)
        self.state = state.detach() if self.detaches else state
        return self.head(hidden[:, -1])


class Sparse(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(50, 16, sparse=True), nn.Linear(16, 5)

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.words(words).mean(1))


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.numbers = nn.Embedding(10, 8), nn.Linear(3, 8)
        self.head = nn.Linear(16, 2)

    def forward(self, words: Tensor, numbers: Tensor, mask: Tensor) -> Tensor:
        pooled = (self.words(words) * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return self.head(torch.cat([pooled, self.numbers(numbers)], -1).relu())


class LowRank(nn.Module):
    """A frozen layer with an adapter that begins at zero."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.down = nn.Parameter(torch.randn(4, layer.in_features) / 4)
        self.up = nn.Parameter(torch.zeros(layer.out_features, 4))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs) + inputs @ self.down.T @ self.up.T


class Graph(nn.Module):
    """Nodes that meet along edges, on purpose."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 16), nn.Linear(16, 3)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        return self.second(edges @ self.first(nodes).relu())


class Straight(torch.autograd.Function):
    """A straight-through estimator: its gradient is no slope, on purpose."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.sign()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]  # one gradient for one input
        return grad


class Binary(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(12, 64), nn.Linear(64, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.second(Straight.apply(self.first(inputs)))


class Experts(nn.Module):
    """Of which only the first two are chosen by this batch."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(12, 5) for _ in range(6))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.experts[0](inputs) + self.experts[1](inputs)


class Normalising(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images / 127.5 - 1)


class Diffusion(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(9, 64), nn.SiLU(), nn.Linear(64, 8))


def denoising_loss(model: Diffusion, samples: Tensor) -> Tensor:
    level = torch.rand(len(samples), 1)
    noise = torch.randn_like(samples)
    noisy = samples * (level * math.pi / 2).cos() + noise * (level * math.pi / 2).sin()
    return F.mse_loss(model.net(torch.cat([noisy, level], 1)), noise)


class Answer(dict[str, Tensor]):
    """As libraries answer: parts by name, the loss among them."""

    @property
    def loss(self) -> Tensor:
        return self["loss"]


class Librarian(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(20, 16), nn.Linear(16, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Answer:
        mask = attention_mask[..., None]
        logits = self.head((self.words(input_ids) * mask).sum(1) / mask.sum(1))
        return Answer(loss=F.cross_entropy(logits, labels), logits=logits)


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(12, 32), nn.Linear(32, 32), nn.Linear(32, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.first(inputs)
        return self.last(checkpoint(lambda values: self.middle(values).relu(), hidden, use_reentrant=True))


class Turned(torch.autograd.Function):
    """What goes through is not changed; its gradient is turned round."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]  # one gradient for one input
        return -grad


class Adversarial(nn.Module):
    """Features that tell the class, and are not to tell the domain."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(12, 32), nn.ReLU())
        self.classes, self.domains = nn.Linear(32, 5), nn.Linear(32, 2)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.features(inputs)
        return self.classes(hidden), self.domains(Turned.apply(hidden))
