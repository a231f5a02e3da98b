"""The networks that the overhead is measured on, each with a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as fn


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.heads = nn.LayerNorm(width), nn.LayerNorm(width), heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """x: [batch, tokens, width]."""
        batch, tokens, width = x.shape
        parts = self.qkv(self.norm1(x)).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = fn.scaled_dot_product_attention(parts[0], parts[1], parts[2], is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return x + torch.as_tensor(self.mlp(self.norm2(x)))


def mlp() -> tuple[nn.Module, Tensor]:
    """Three hidden layers of 512."""
    layers: list[nn.Module] = [nn.Linear(256, 512), nn.ReLU()]
    for _ in range(2):
        layers += [nn.Linear(512, 512), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(512, 10)), torch.randn(256, 256)


def cnn() -> tuple[nn.Module, Tensor]:
    """Three convolutions with batch norm on 32 × 32 pictures."""
    layers: list[nn.Module] = []
    for before, after in ((3, 32), (32, 64), (64, 64)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, 10)), torch.randn(64, 3, 32, 32)


def gpt() -> tuple[nn.Module, Tensor]:
    """Four blocks of width 192, 128 tokens."""
    return nn.Sequential(*(Block(192, 4) for _ in range(4)), nn.Linear(192, 96)), torch.randn(8, 128, 192)


def small_layers() -> tuple[nn.Module, Tensor]:
    """200 linear layers of width 64."""
    return nn.Sequential(*(nn.Linear(64, 64) for _ in range(200))), torch.randn(64, 64)


NETWORKS: Final[dict[str, Callable[[], tuple[nn.Module, Tensor]]]] = {
    "MLP": mlp,
    "small CNN": cnn,
    "small GPT": gpt,
    "200 small layers": small_layers,
}
