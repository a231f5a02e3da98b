"""Small networks of the usual kinds."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn

VOCABULARY: Final = 128


def mlp(
    sizes: tuple[int, ...] = (64, 64, 64, 10),
    *,
    activation: type[nn.Module] = nn.ReLU,
    norm: type[nn.Module] | None = None,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Linear layers of these sizes, an activation between them."""
    parts: list[nn.Module] = []
    for size, following in pairwise(sizes[:-1]):
        parts += [nn.Linear(size, following), *([norm(following)] if norm else []), activation()]
        parts += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*parts, nn.Linear(sizes[-2], sizes[-1]))


def cnn(
    *, classes: int = 10, activation: type[nn.Module] = nn.ReLU, norm: bool = True, dropout: float = 0.0
) -> nn.Sequential:
    """Three convolutions on pictures of 8 × 8, given as [n, 64]."""
    parts: list[nn.Module] = [nn.Unflatten(1, (1, 8, 8))]
    for size, following in ((1, 16), (16, 32), (32, 32)):
        parts += [nn.Conv2d(size, following, 3, padding=1), *([nn.BatchNorm2d(following)] if norm else [])]
        parts += [activation(), *([nn.Dropout(dropout)] if dropout else [])]
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, classes))


class Residual(nn.Module):
    """x + f(x); ``zero`` begins with f = 0, as is good practice."""

    def __init__(self, width: int, *, zero: bool = False) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up, self.act, self.down = nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        if zero:
            nn.init.zeros_(self.down.weight)
            nn.init.zeros_(self.down.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """[n, width] to the same."""
        return inputs + self.down(self.act(self.up(self.norm(inputs))))  # type: ignore[no-any-return]  # torch types no call


def residual_net(*, inputs: int = 64, classes: int = 10, depth: int = 6, zero: bool = False) -> nn.Sequential:
    """A stem, residual blocks, a head."""
    return nn.Sequential(
        nn.Linear(inputs, 64),
        *(Residual(64, zero=zero) for _ in range(depth)),
        nn.LayerNorm(64),
        nn.Linear(64, classes),
    )


class Block(nn.Module):
    """A transformer's block, normalised first."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, inputs: Tensor) -> Tensor:
        """[n, length, width] to the same; no token sees those behind it."""
        length = inputs.shape[1]
        mask = torch.ones(length, length, dtype=torch.bool, device=inputs.device).triu(1)
        normed = self.norm1(inputs)
        attended, _ = self.attention(normed, normed, normed, attn_mask=mask, need_weights=False)
        middle: Tensor = inputs + attended
        return middle + self.mlp(self.norm2(middle))  # type: ignore[no-any-return]  # torch types no call


class GPT(nn.Module):
    """Bytes in, logits of the next byte out: [n, length] to [n, length, 128]."""

    def __init__(self, *, width: int = 48, depth: int = 2, heads: int = 4, context: int = 32) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(VOCABULARY, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, VOCABULARY, bias=False)
        for embedding in (self.token, self.place):
            nn.init.normal_(embedding.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class."""
        hidden = self.token(tokens) + self.place(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            hidden = block(hidden)
        return self.head(self.norm(hidden))  # type: ignore[no-any-return]  # torch types no call


class RNN(nn.Module):
    """Bytes in, logits of the next byte out, by a recurrent layer: ``kind`` is nn.RNN, nn.GRU or nn.LSTM."""

    def __init__(self, kind: type[nn.Module] = nn.GRU, *, width: int = 64) -> None:
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, 32)
        self.cell = kind(32, width, batch_first=True)
        self.head = nn.Linear(width, VOCABULARY)

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class."""
        hidden, _ = self.cell(self.token(tokens))
        return self.head(hidden)  # type: ignore[no-any-return]  # torch types no call


class InHalf(nn.Sequential):
    """Computes in half precision and answers in single, as autocast has it around the forward alone: around the whole
    loop it would keep the first copies of all weights, and nothing would be learnt."""

    dtype: torch.dtype = torch.float16

    def forward(self, inputs: Tensor) -> Tensor:
        """What its layers make of it."""
        with torch.autocast("cpu", dtype=self.dtype):
            return super().forward(inputs).float()  # type: ignore[no-any-return, no-untyped-call]  # torch types no call


def autoencoder(*, width: int = 64, code: int = 8, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """64 numbers through a bottleneck and back."""
    return nn.Sequential(
        *(nn.Linear(64, width), activation(), nn.Linear(width, code), nn.Linear(code, width), activation()),
        nn.Linear(width, 64),
    )


def sigmoid_mlp(depth: int = 10) -> nn.Sequential:
    """Deep, of sigmoids: gradients fade on their way down."""
    return mlp((64, *([64] * depth), 10), activation=nn.Sigmoid)
