"""Real data that need no download: scikit-learn's data sets and the text of the standard library."""

from __future__ import annotations

import functools
import inspect
import json
import textwrap
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import sklearn.datasets as datasets
import torch
from torch import Tensor, nn

CONTEXT: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """``inputs`` [n, …] and ``targets`` [n] or [n, 1]; the last fifth is for validation."""

    inputs: Tensor
    targets: Tensor

    def batches(self, size: int = 64, *, seed: int = 0, shuffle: bool = True) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of the training part without end, whole epochs one after another; the last of an epoch is small."""
        count = len(self.inputs) * 4 // 5
        order = torch.Generator().manual_seed(seed)
        while True:
            places = torch.randperm(count, generator=order) if shuffle else torch.arange(count)
            for chosen in places.split(size):
                yield self.inputs[chosen], self.targets[chosen]

    def validation(self) -> tuple[Tensor, Tensor]:
        """What is not trained on."""
        count = len(self.inputs) * 4 // 5
        return self.inputs[count:], self.targets[count:]


@functools.cache
def _digits() -> tuple[Tensor, Tensor]:
    pictures, labels = datasets.load_digits(return_X_y=True)
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))
    return torch.tensor(pictures, dtype=torch.float32)[order], torch.tensor(labels)[order]


def digits(*, raw: bool = False) -> Data:
    """1,797 pictures of 8 × 8 in ten classes, [n, 64], from 0 to 1; ``raw``: from 0 to 16, as they come."""
    pictures, labels = _digits()
    return Data(inputs=pictures if raw else pictures / 16.0, targets=labels)


def wine(*, raw: bool = False) -> Data:
    """178 wines by 13 measures in three classes; ``raw``: measures of sizes from 0.1 to 1,680, as they come."""
    return _classes(datasets.load_wine, raw=raw)


def cancer(*, raw: bool = False) -> Data:
    """569 tumours by 30 measures in two classes."""
    return _classes(datasets.load_breast_cancer, raw=raw)


def diabetes(*, raw: bool = False) -> Data:
    """442 patients by ten measures; the target [n, 1] is standardised, or with ``raw`` from 25 to 346."""
    measures, progress = datasets.load_diabetes(return_X_y=True)
    inputs = torch.tensor(measures, dtype=torch.float32) * 21.0  # to a standard deviation of 1
    target = torch.tensor(progress, dtype=torch.float32)[:, None]
    return Data(inputs=inputs, targets=target if raw else _standard(target))


def text(*, sequences: int = 4000) -> Data:
    """Pieces of the standard library's source, byte by byte: inputs and targets [n, 32], the targets one further."""
    source = "".join(inspect.getsource(module) for module in (textwrap, ArgumentParser, json)).encode()
    tokens = torch.tensor([min(byte, 127) for byte in source])
    picked = torch.randint(0, len(tokens) - CONTEXT - 1, (sequences,), generator=torch.Generator().manual_seed(0))
    pieces = torch.stack([tokens[start : start + CONTEXT + 1] for start in picked.tolist()])
    return Data(inputs=pieces[:, :-1], targets=pieces[:, 1:])


def token_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy of [batch, length, vocabulary] against [batch, length]."""
    return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def _classes(load: Callable[..., tuple[object, object]], *, raw: bool) -> Data:
    measures, labels = load(return_X_y=True)
    inputs, targets = torch.tensor(measures, dtype=torch.float32), torch.tensor(labels)
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0))
    return Data(inputs=(inputs if raw else _standard(inputs))[order], targets=targets[order])


def _standard(values: Tensor) -> Tensor:
    return (values - values.mean(0)) / values.std(0)
