"""Data that are made up on the spot: clouds of points, graphs, and waves."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from clinic.material import Data, digits

POINTS = 24
NODES = 12


@functools.cache
def shapes(*, count: int = 2000, noise: float = 0.08) -> Data:
    """Sets of 24 points in the plane, [n, 24, 2], of about size 1, turned at random: circle, line, cross, square or
    heap."""
    order = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 5, (count,), generator=order)
    along = torch.rand(count, POINTS, generator=order) * 2 - 1
    angle = along * torch.pi
    side = torch.arange(POINTS) % 2 == 0
    zero = torch.zeros_like(along)
    circle = torch.stack([angle.cos(), angle.sin()], -1)
    cross = torch.where(side[None, :, None], torch.stack([along, zero], -1), torch.stack([zero, along], -1))
    heap = torch.randn(count, POINTS, 2, generator=order) * 0.5
    square = circle / circle.abs().amax(-1, keepdim=True)
    every = torch.stack([circle, torch.stack([along, zero], -1), cross, square, heap])
    turn = torch.rand(count, generator=order) * torch.pi
    turns = torch.stack([turn.cos(), turn.sin(), -turn.sin(), turn.cos()], -1).view(count, 2, 2)
    points = every[labels, torch.arange(count)] @ turns
    return Data(inputs=points + noise * torch.randn(points.shape, generator=order), targets=labels)


@functools.cache
def spreads(*, count: int = 1500) -> Data:
    """Sets of 24 numbers, [n, 24, 1], and how widely they are spread: the logarithm of their deviation, standardised,
    [n, 1]."""
    order = torch.Generator().manual_seed(0)
    wide = torch.rand(count, 1, 1, generator=order) * 1.5 + 0.2
    numbers = wide * torch.randn(count, POINTS, 1, generator=order) + 0.5 * torch.randn(count, 1, 1, generator=order)
    spread = numbers.std(1).log()
    return Data(inputs=numbers, targets=(spread - spread.mean()) / spread.std())


@functools.cache
def graphs(*, count: int = 1200) -> Data:
    """Graphs of twelve nodes, [n, 12, 12], of like many edges: by chance, two circles of friends, or a ring."""
    order = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (count,), generator=order)
    place = torch.arange(NODES)
    apart = (place[:, None] - place[None]).abs()
    ring = (torch.minimum(apart, NODES - apart) <= 2).float() * 0.9
    friends = torch.where((place[:, None] < NODES // 2) == (place[None] < NODES // 2), 0.7, 0.05)
    chances = torch.stack([torch.full((NODES, NODES), 0.36), friends, ring])[labels]
    upper = (torch.rand(count, NODES, NODES, generator=order) < chances).float().triu(1)
    return Data(inputs=upper + upper.mT, targets=labels)


@functools.cache
def kinship(*, count: int = 500, nearest: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Digits as one graph: the normalised adjacency [n, n] of each and those most like it, their pixels [n, 64], and
    labels [n]."""
    found = digits()
    pictures, labels = found.inputs[:count], found.targets[:count]
    near = torch.cdist(pictures, pictures).topk(nearest + 1, largest=False).indices
    edges = torch.zeros(count, count).scatter_(1, near, 1.0)
    edges = torch.maximum(edges, edges.T)
    degree = edges.sum(1).rsqrt()
    return degree[:, None] * edges * degree[None], pictures, labels


@functools.cache
def waves(*, count: int = 1500, length: int = 32, noise: float = 0.1) -> Data:
    """Sums of two waves and some noise, [n, 32, 1], and the same a step further: [n, 32, 1]."""
    order = torch.Generator().manual_seed(0)
    pace = torch.rand(count, 2, 1, generator=order) * 0.7 + 0.2
    phase = torch.rand(count, 2, 1, generator=order) * 6.28
    series = (pace * torch.arange(length + 1) + phase).sin().sum(1)
    series = (series + noise * torch.randn(series.shape, generator=order)).unsqueeze(-1)
    return Data(inputs=series[:, :-1], targets=series[:, 1:])
