"""Small networks of kinds that came when all rules were finished: none was made, or tuned, with them in sight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from clinic.networks import VOCABULARY, mlp

HEADS: Final = 4
Activation = Callable[[], nn.Module]


class SwiGLU(nn.Module):
    """down(silu(gate) · up), as in LLaMA."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate, self.up = nn.Linear(width, 2 * width, bias=False), nn.Linear(width, 2 * width, bias=False)
        self.act, self.down = nn.SiLU(), nn.Linear(2 * width, width, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """[…, width] to the same."""
        return self.down(self.act(self.gate(inputs)) * self.up(inputs))  # type: ignore[no-any-return]  # torch types no call


def rotated(values: Tensor) -> Tensor:
    """[n, heads, length, size], each pair of numbers turned by its place (RoPE, Su et al., 2021)."""
    length, half = values.shape[-2], values.shape[-1] // 2
    angle = torch.arange(length)[:, None] * 100.0 ** (-torch.arange(half) / half)
    one, other = values.chunk(2, -1)
    sine, cosine = angle.sin().to(values.dtype), angle.cos().to(values.dtype)
    return torch.cat([one * cosine - other * sine, one * sine + other * cosine], -1)


class GatedBlock(nn.Module):
    """A LLaMA's block: RMSNorm first, rotated queries and keys, no biases, SwiGLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.mlp = SwiGLU(width)

    def forward(self, inputs: Tensor) -> Tensor:
        """[n, length, width] to the same; no token sees those behind it."""
        query, key, value = (
            part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in self.qkv(self.norm1(inputs)).chunk(3, -1)
        )
        attended = functional.scaled_dot_product_attention(rotated(query), rotated(key), value, is_causal=True)
        middle: Tensor = inputs + self.out(attended.transpose(1, 2).flatten(2))
        return middle + self.mlp(self.norm2(middle))  # type: ignore[no-any-return]  # torch types no call


class Gated(nn.Module):
    """Bytes in, logits of the next byte out: [n, length] to [n, length, 128]. ``saves``: blocks are computed again on
    the way back, which saves memory."""

    def __init__(self, *, width: int = 48, depth: int = 2, outputs: int = VOCABULARY, saves: bool = False) -> None:
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, width)
        self.blocks = nn.ModuleList(GatedBlock(width) for _ in range(depth))
        self.norm, self.head = nn.RMSNorm(width), nn.Linear(width, outputs, bias=False)
        self.saves = saves
        nn.init.normal_(self.token.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class."""
        hidden = self.token(tokens)
        for block in self.blocks:
            hidden = checkpoint(block, hidden, use_reentrant=False) if self.saves else block(hidden)
        return self.head(self.norm(hidden))  # type: ignore[no-any-return]  # torch types no call


class MixerBlock(nn.Module):
    """Mixes between patches, then between channels (Tolstikhin et al., 2021). ``drop``: the share of dropped units,
    ``skip``: how often a branch is left out of a step (stochastic depth)."""

    def __init__(self, width: int, *, drop: float, skip: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.patches = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Dropout(drop), nn.Linear(32, 16))
        self.channels = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(drop), nn.Linear(2 * width, width)
        )
        self.skip = skip

    def forward(self, inputs: Tensor) -> Tensor:
        """[n, 16, width] to the same."""
        middle = inputs + self.kept(self.patches(self.norm1(inputs).mT).mT)
        return middle + self.kept(self.channels(self.norm2(middle)))

    def kept(self, branch: Tensor) -> Tensor:
        """The branch, or zeros in its place, by example."""
        if not self.training or not self.skip:
            return branch
        return branch * (torch.rand(len(branch), 1, 1) >= self.skip) / (1 - self.skip)


class Mixer(nn.Module):
    """Pictures of 8 × 8, given as [n, 64], as 16 patches: logits of ten classes."""

    def __init__(self, *, width: int = 32, depth: int = 3, drop: float = 0.0, skip: float = 0.0) -> None:
        super().__init__()
        self.stem = nn.Linear(4, width)
        self.blocks = nn.Sequential(*(MixerBlock(width, drop=drop, skip=skip) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        patches = functional.unfold(pictures.view(-1, 1, 8, 8), 2, stride=2).mT
        return self.head(self.norm(self.blocks(self.stem(patches))).mean(1))  # type: ignore[no-any-return]  # torch types no call


class DepthwiseBlock(nn.Module):
    """A depthwise convolution, a norm, two pointwise ones, added to what came in and scaled by ``scale`` (ConvNeXt)."""

    def __init__(self, width: int, *, norm: nn.Module, scale: float) -> None:
        super().__init__()
        self.depthwise, self.norm = nn.Conv2d(width, width, 3, padding=1, groups=width), norm
        self.up, self.act, self.down = nn.Conv2d(width, 3 * width, 1), nn.GELU(), nn.Conv2d(3 * width, width, 1)
        self.scale = nn.Parameter(scale * torch.ones(width, 1, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """[n, width, height, width] to the same."""
        return inputs + self.scale * self.down(self.act(self.up(self.norm(self.depthwise(inputs)))))  # type: ignore[no-any-return]  # torch types no call


def depthwise(*, batch_norm: bool = False, width: int = 24, depth: int = 2, scale: float = 1.0) -> nn.Sequential:
    """Depthwise separable convolutions on pictures of 8 × 8, given as [n, 64]; norms over channels, or over the
    batch."""

    def norm() -> nn.Module:
        return nn.BatchNorm2d(width) if batch_norm else nn.GroupNorm(1, width)

    return nn.Sequential(
        *(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, width, 2, stride=2), norm()),
        *(DepthwiseBlock(width, norm=norm(), scale=scale) for _ in range(depth)),
        *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, 10)),
    )


class CausalBlock(nn.Module):
    """A convolution over a place and those ``dilation`` and twice that before it; ``residual``: added to what came
    in."""

    def __init__(self, width: int, dilation: int, *, activation: Activation, residual: bool) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv1d(width, width, 3, dilation=dilation), activation()
        self.dilation, self.residual = dilation, residual

    def forward(self, inputs: Tensor) -> Tensor:
        """[n, width, length] to the same."""
        found: Tensor = self.act(self.conv(functional.pad(inputs, (2 * self.dilation, 0))))
        return inputs + found if self.residual else found


class WaveNetBlock(nn.Module):
    """tanh · sigmoid of two convolutions, added to what came in (van den Oord et al., 2016)."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.filter, self.gate = (nn.Conv1d(width, width, 2, dilation=dilation) for _ in range(2))
        self.tanh, self.sigmoid, self.out = nn.Tanh(), nn.Sigmoid(), nn.Conv1d(width, width, 1)
        self.dilation = dilation

    def forward(self, inputs: Tensor) -> Tensor:
        """[n, width, length] to the same."""
        padded = functional.pad(inputs, (self.dilation, 0))
        return inputs + self.out(self.tanh(self.filter(padded)) * self.sigmoid(self.gate(padded)))  # type: ignore[no-any-return]  # torch types no call


class Temporal(nn.Module):
    """Convolutions over time, dilated and causal: what ``stem`` makes of each place, [n, length, width], through
    blocks, to [n, length, outputs]."""

    def __init__(self, stem: nn.Module, blocks: list[nn.Module], *, width: int, outputs: int) -> None:
        super().__init__()
        self.stem, self.blocks, self.head = stem, nn.Sequential(*blocks), nn.Conv1d(width, outputs, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """See the class."""
        return self.head(self.blocks(self.stem(inputs).mT)).mT  # type: ignore[no-any-return]  # torch types no call


def temporal(
    *, stem: nn.Module | None = None, outputs: int = VOCABULARY, width: int = 48, depth: int = 4,
    activation: Activation = nn.ReLU, residual: bool = True,
) -> Temporal:  # fmt: skip
    """Of bytes if no other stem is given."""
    blocks: list[nn.Module] = [
        CausalBlock(width, 2 ** (number % 4), activation=activation, residual=residual) for number in range(depth)
    ]
    return Temporal(stem or nn.Embedding(VOCABULARY, width), blocks, width=width, outputs=outputs)


def wavenet(*, width: int = 32, depth: int = 4) -> Temporal:
    """Of bytes."""
    blocks: list[nn.Module] = [WaveNetBlock(width, 2**number) for number in range(depth)]
    return Temporal(nn.Embedding(VOCABULARY, width), blocks, width=width, outputs=VOCABULARY)


class UNet(nn.Module):
    """Pictures of 8 × 8 down to 2 × 2 and up again, with skips between: [n, channels, 8, 8] to [n, outputs, 8, 8].
    ``cut``: a detach was left between the way down and the way up."""

    def __init__(self, *, channels: int = 1, outputs: int = 1, width: int = 16, norm: bool = True,
                 cut: bool = False) -> None:  # fmt: skip
        super().__init__()

        def stage(size: int, following: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(size, following, 3, padding=1), *([nn.GroupNorm(4, following)] if norm else []), nn.SiLU()
            )

        self.down1, self.down2 = stage(channels, width), stage(width, 2 * width)
        self.middle = stage(2 * width, 2 * width)
        self.up2, self.up1 = stage(4 * width, width), stage(2 * width, width)
        self.out, self.cut = nn.Conv2d(width, outputs, 1), cut

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        fine = self.down1(pictures)
        coarse = self.down2(functional.max_pool2d(fine, 2))
        if self.cut:
            fine, coarse = fine.detach(), coarse.detach()
        lowest = functional.interpolate(self.middle(functional.max_pool2d(coarse, 2)), scale_factor=2.0)
        middle = functional.interpolate(self.up2(torch.cat([coarse, lowest], 1)), scale_factor=2.0)
        return self.out(self.up1(torch.cat([fine, middle], 1)))  # type: ignore[no-any-return]  # torch types no call


class OfNeighbours(nn.Module):
    """A graph convolutional network (Kipf and Welling, 2017) of one graph, whose normalised ``neighbours`` [n, n] it
    keeps: features [n, 64] to logits [n, 10]."""

    def __init__(self, neighbours: Tensor, *, width: int = 32, depth: int = 2, drop: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("neighbours", neighbours)
        sizes = [64, *([width] * (depth - 1))]
        self.layers = nn.ModuleList(nn.Linear(size, width) for size in sizes)
        self.act, self.drop, self.head = nn.ReLU(), nn.Dropout(drop), nn.Linear(width, 10)

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        near = self.get_buffer("neighbours")
        for layer in self.layers:
            features = self.drop(self.act(near @ layer(features)))
        return near @ self.head(features)  # type: ignore[no-any-return]  # torch types no call


class OfGraphs(nn.Module):
    """Answers for whole graphs (GIN, Xu et al., 2019): adjacency matrices [n, nodes, nodes] to [n, outputs]."""

    def __init__(self, *, width: int = 32, outputs: int = 3) -> None:
        super().__init__()
        self.first, self.second = mlp((2, width, width)), mlp((width, width, width))
        self.norm, self.head = nn.LayerNorm(width), mlp((width, width, outputs))

    def forward(self, graphs: Tensor) -> Tensor:
        """See the class."""
        degree = graphs.sum(-1, keepdim=True) / 4.0
        hidden = torch.cat([degree, torch.ones_like(degree)], -1)
        for layer in (self.first, self.second):
            hidden = layer(hidden + graphs @ hidden / 4.0)
        return self.head(self.norm(hidden.mean(1)))  # type: ignore[no-any-return]  # torch types no call


class OfPoints(nn.Module):
    """A set's points one by one, their largest or mean numbers, and an answer (PointNet, Deep Sets): [n, points, size]
    to [n, outputs]."""

    def __init__(
        self, *, size: int = 2, width: int = 48, depth: int = 3, outputs: int = 5,
        activation: type[nn.Module] = nn.ReLU, largest: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.each = nn.Sequential(*mlp((size, *([width] * depth)), activation=activation), activation())
        self.whole, self.largest = mlp((width, width, outputs), activation=activation), largest

    def forward(self, points: Tensor) -> Tensor:
        """See the class."""
        each: Tensor = self.each(points)
        return self.whole(each.amax(1) if self.largest else each.mean(1))  # type: ignore[no-any-return]  # torch types no call


class TwoTowers(nn.Module):
    """Upper and lower halves of pictures, [n, 64], each to a direction: how alike they are, [n, n], over a temperature
    that is learnt (CLIP, Radford et al., 2021)."""

    def __init__(self, *, width: int = 64, size: int = 32) -> None:
        super().__init__()
        self.upper, self.lower = mlp((32, width, width, size)), mlp((32, width, width, size))
        self.logit_scale = nn.Parameter(torch.tensor(10.0).log())

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        above, below = pictures.chunk(2, -1)
        one, other = functional.normalize(self.upper(above), dim=-1), functional.normalize(self.lower(below), dim=-1)
        return one @ other.T * self.logit_scale.exp()
