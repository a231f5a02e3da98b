"""Gradients that fade, or grow, on their way."""

from __future__ import annotations

from torch import nn
from torch.optim import SGD

from clinic.bench import Bench
from clinic.case import sick
from clinic.material import cancer, digits
from clinic.networks import cnn, mlp, sigmoid_mlp

FOLLOWS = ("updates_too_small", "loss_not_decreasing", "layer_not_learning", "class_collapse")


def deep_sigmoid(bench: Bench) -> None:
    """Ten layers of sigmoids."""
    model = sigmoid_mlp(10)
    bench.fit(model, SGD(model.parameters(), lr=0.1), digits().batches(seed=bench.seed), steps=600)


def deep_sigmoid_on_measures(bench: Bench) -> None:
    """Eight layers of sigmoids, on another data set."""
    model = mlp((30, *([48] * 8), 2), activation=nn.Sigmoid)
    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9)
    bench.fit(model, optimizer, cancer().batches(32, seed=bench.seed), steps=600)


def deep_sigmoid_convolutions(bench: Bench) -> None:
    """Convolutions with sigmoids between them, and eight layers of sigmoids behind."""
    model = nn.Sequential(*list(cnn(activation=nn.Sigmoid, norm=False))[:-1], sigmoid_tail())
    bench.fit(model, SGD(model.parameters(), lr=0.1), digits().batches(seed=bench.seed), steps=600)


def sigmoid_tail() -> nn.Sequential:
    """Eight layers of sigmoids behind convolutions."""
    return mlp((128, *([48] * 8), 10), activation=nn.Sigmoid)


CASES = [
    sick("vanishing_gradients", "deep-sigmoid", "mlp", deep_sigmoid, follows=FOLLOWS),
    sick("vanishing_gradients", "deep-sigmoid-on-measures", "mlp", deep_sigmoid_on_measures, follows=FOLLOWS),
    sick(
        "vanishing_gradients", "deep-sigmoid-convolutions", "convolutional", deep_sigmoid_convolutions, follows=FOLLOWS
    ),
]
