"""scikit-learn's handwritten digits, split for training and validation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from torch import Tensor

HELD_OUT = 297  # of 1797 pictures
BRIGHTEST = 16.0
CLASSES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Float32 [count, 1, 8, 8], roughly normalised, with their int64 [count] labels."""

    images: Tensor
    labels: Tensor

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """``size`` pictures drawn at random."""
        drawn = torch.randint(len(self.labels), (size,))
        return self.images[drawn], self.labels[drawn]


def digits() -> tuple[Pictures, Pictures]:
    """The pictures to train on, and those held out."""
    images, labels = load_digits(return_X_y=True)
    pixels = (torch.from_numpy(images).float() / BRIGHTEST - 0.3) / 0.38  # their mean and standard deviation
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))
    pixels, classes = pixels[shuffled].view(-1, 1, 8, 8), torch.from_numpy(labels).long()[shuffled]
    held_out = Pictures(images=pixels[:HELD_OUT], labels=classes[:HELD_OUT])
    return Pictures(images=pixels[HELD_OUT:], labels=classes[HELD_OUT:]), held_out


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of pictures named right."""
    return (logits.argmax(1) == labels).float().mean()
