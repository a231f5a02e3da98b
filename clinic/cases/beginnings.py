"""Networks that are ill before their first step: initial weights, and layers in the wrong measure or order."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import LambdaLR

from clinic.bench import Bench
from clinic.case import healthy, sick
from clinic.cases.inputs import unseen_loss
from clinic.cases.task import tensor_of
from clinic.material import cancer, digits
from clinic.networks import cnn, mlp, residual_net

LOST = (
    "loss_not_decreasing", "class_collapse", "labels_shuffled", "vanishing_gradients", "dead_activations",
    "layer_not_learning", "updates_too_small", "updates_too_large", "exploding_gradients", "loss_spike",
    "loss_diverging", "non_finite_values",
)  # fmt: skip


def every_weight(model: nn.Module, begin: Callable[[torch.Tensor], object]) -> nn.Module:
    """The model, all of whose weight matrices begin so."""
    for parameter in model.parameters():
        if parameter.dim() > 1:
            begin(parameter)
    return model


def constant_weights(bench: Bench) -> None:
    """All weights 0.05."""
    model = every_weight(mlp(), lambda weight: nn.init.constant_(weight, 0.05))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=300)


def constant_kernels(bench: Bench) -> None:
    """All weights and kernels 0.1."""
    model = every_weight(cnn(), lambda weight: nn.init.constant_(weight, 0.1))
    bench.fit(model, SGD(model.parameters(), lr=0.02), digits().batches(seed=bench.seed), steps=200)


def zeros(bench: Bench) -> None:
    """All weights zero."""
    model = every_weight(mlp(), nn.init.zeros_)
    bench.fit(model, SGD(model.parameters(), lr=0.1), digits().batches(seed=bench.seed), steps=300)


def standard_normal(bench: Bench) -> None:
    """normal_(0, 1), as in many a first tutorial."""
    model = every_weight(mlp((30, 64, 64, 64, 2)), nn.init.normal_)
    bench.fit(model, SGD(model.parameters(), lr=1e-3), cancer().batches(32, seed=bench.seed), steps=300)


def tiny(bench: Bench) -> None:
    """normal_(0, 0.001) in eight layers: nothing comes through."""
    model = every_weight(mlp((64, *([64] * 7), 10)), lambda weight: nn.init.normal_(weight, std=1e-3))
    bench.fit(model, SGD(model.parameters(), lr=0.1), digits().batches(seed=bench.seed), steps=300)


def large_kernels(bench: Bench) -> None:
    """normal_(0, 1) for convolutions."""
    model = every_weight(cnn(norm=False), nn.init.normal_)
    bench.fit(model, Adam(model.parameters(), lr=1e-4), digits().batches(seed=bench.seed), steps=200)


def kept_for_dropped(bench: Bench) -> None:
    """p=0.9, where 90 % were to be kept."""
    model, data = mlp((64, 32, 32, 10), dropout=0.9), digits()
    batches = data.batches(seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=500, validate=lambda: unseen_loss(model, data))


def kept_for_dropped_in_convolutions(bench: Bench) -> None:
    """The same with convolutions."""
    model, data = cnn(dropout=0.85, norm=False), digits()
    batches = data.batches(seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=300, validate=lambda: unseen_loss(model, data))


def dropped_before_norm(bench: Bench) -> None:
    """Dropout, a narrow linear layer, batch norm."""
    model = nn.Sequential(
        nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.6), nn.Linear(32, 16), nn.BatchNorm1d(16), nn.ReLU(),
        nn.Dropout(0.6), nn.Linear(16, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 10),
    )  # fmt: skip
    data = digits()
    bench.fit(
        model, Adam(model.parameters(), lr=2e-3), data.batches(seed=bench.seed), steps=400,
        validate=lambda: unseen_loss(model, data),
    )  # fmt: skip


def dropped_before_norm_of_convolutions(bench: Bench) -> None:
    """Convolutions, each with batch norm, a rectifier and dropout, the last of which stands before the next norm."""
    model, data = cnn(dropout=0.5), digits()
    bench.fit(
        model, Adam(model.parameters(), lr=1e-3), data.batches(seed=bench.seed), steps=200,
        validate=lambda: unseen_loss(model, data),
    )  # fmt: skip


def zero_branches(bench: Bench) -> None:
    """Residual branches that begin with zeros, and a head of zeros: good practice."""
    model = residual_net(zero=True)
    nn.init.zeros_(tensor_of(model[-1]))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=300)


def half_dropped(bench: Bench) -> None:
    """Dropout of one half, in a wide network: standard, and the validation loss lies under the training loss."""
    model, data = mlp((64, 256, 256, 10), dropout=0.5), digits()
    batches = data.batches(seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=400, validate=lambda: unseen_loss(model, data))


def scaled_for_norms(bench: Bench) -> None:
    """Large kernels in front of batch norm, which does not mind."""
    model = cnn()
    for layer in model:
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=1.0)
    bench.fit(model, Adam(model.parameters(), lr=2e-2), digits().batches(seed=bench.seed), steps=200)


def long_warm_up(bench: Bench) -> None:
    """A deep network that says one class to everything until a warm-up of 400 steps lets it learn."""
    model = mlp((64, *([64] * 6), 10))
    optimizer = Adam(model.parameters(), lr=2e-3)
    schedule = LambdaLR(optimizer, lambda step: min(1.0, (step / 400) ** 3))
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=600, schedule=schedule)


CASES = [
    sick("symmetric_units", "constant-weights", "mlp", constant_weights,
         follows=("poor_initialisation", "initial_loss_off", *LOST)),
    sick("symmetric_units", "constant-kernels", "convolutional", constant_kernels,
         follows=("poor_initialisation", "initial_loss_off", *LOST)),
    sick("poor_initialisation", "zeros", "mlp", zeros, follows=LOST),
    sick("poor_initialisation", "standard-normal", "mlp", standard_normal, follows=("initial_loss_off", *LOST)),
    sick("poor_initialisation", "tiny", "mlp", tiny, follows=LOST),
    sick("poor_initialisation", "large-kernels", "convolutional", large_kernels, follows=("initial_loss_off", *LOST)),
    sick("dropout_too_high", "kept-for-dropped", "mlp", kept_for_dropped, follows=("loss_not_decreasing",)),
    sick("dropout_too_high", "kept-for-dropped-in-convolutions", "convolutional", kept_for_dropped_in_convolutions,
         follows=("loss_not_decreasing", "class_collapse")),
    sick("dropout_before_batch_norm", "narrow", "mlp", dropped_before_norm),
    sick("dropout_before_batch_norm", "of-convolutions", "convolutional", dropped_before_norm_of_convolutions),
    healthy("zero-branches", "residual", zero_branches),
    healthy("long-warm-up", "mlp", long_warm_up),
    healthy("half-dropped", "mlp", half_dropped),
    healthy("scaled-for-norms", "convolutional", scaled_for_norms),
]  # fmt: skip
