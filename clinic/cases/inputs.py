"""Batches that are not as a network needs them: scale, order, repetition."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam

from clinic.bench import Batches, Bench
from clinic.case import healthy, sick
from clinic.cases.task import changed, tensor_of
from clinic.material import Data, cancer, diabetes, digits, wine
from clinic.networks import autoencoder, cnn, mlp, residual_net

SLOW = (
    "loss_not_decreasing", "class_collapse", "labels_shuffled", "updates_too_large", "loss_spike", "dead_activations",
    "layer_not_learning",
)  # fmt: skip


def raw_measures(bench: Bench) -> None:
    """Wine as it comes: measures from 0.1 to 1,680."""
    model = mlp((13, 32, 3))
    bench.fit(model, SGD(model.parameters(), lr=0.01), wine(raw=True).batches(32, seed=bench.seed), steps=300)


def raw_tumours(bench: Bench) -> None:
    """Measures of tumours from 0.001 to 4,000, into tanh units, which they saturate."""
    model = mlp((30, 32, 2), activation=nn.Tanh)
    batches = cancer(raw=True).batches(32, seed=bench.seed)
    bench.fit(model, SGD(model.parameters(), lr=0.01, momentum=0.9), batches, steps=300)


def raw_pictures(bench: Bench) -> None:
    """Pictures from 0 to 4,080 into convolutions without normalisation."""
    model = cnn(norm=False)
    batches = changed(digits(raw=True).batches(seed=bench.seed), lambda x, y: (x * 255, y))
    bench.fit(model, SGD(model.parameters(), lr=0.01), batches, steps=300)


def raw_targets(bench: Bench) -> None:
    """The progress of diabetes from 25 to 346, and a rate that would suit targets of size 1."""
    model = mlp((10, 32, 1))
    batches = diabetes(raw=True).batches(32, seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=400, loss_fn=nn.MSELoss())


def raw_targets_of_residuals(bench: Bench) -> None:
    """The same, behind residual blocks."""
    model = residual_net(inputs=10, classes=1, depth=2)
    batches = changed(diabetes(raw=True).batches(32, seed=bench.seed), lambda x, y: (x, y * 100))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=400, loss_fn=nn.MSELoss())


def unseen_loss(model: nn.Module, data: Data) -> dict[str, float]:
    """The loss of the validation part, in evaluation mode."""
    inputs, labels = data.validation()
    model.eval()
    with torch.no_grad():
        loss = nn.functional.cross_entropy(model(inputs), labels)
    model.train()
    return {"val_loss": float(loss)}


def first_batch_again(bench: Bench) -> None:
    """next(iter(loader)) within the loop, of a loader that does not shuffle."""
    model, data = mlp(), digits()
    batch = next(data.batches(32, seed=bench.seed))
    bench.fit(
        model, Adam(model.parameters(), lr=2e-3), itertools.repeat(batch), steps=300,
        validate=lambda: unseen_loss(model, data), validate_every=20,
    )  # fmt: skip


def first_batch_again_in_convolutions(bench: Bench) -> None:
    """The same with convolutions."""
    model, data = cnn(), digits()
    batch = next(data.batches(32, seed=bench.seed))
    bench.fit(
        model, SGD(model.parameters(), lr=0.05), itertools.repeat(batch), steps=200,
        validate=lambda: unseen_loss(model, data), validate_every=20,
    )  # fmt: skip


def by_class(data: Data, *, size: int) -> Batches:
    """Batches of data that lie sorted by class, without shuffling."""
    count = len(data.inputs) * 4 // 5
    order = data.targets[:count].argsort(stable=True)
    ordered = Data(
        inputs=torch.cat([data.inputs[:count][order], data.inputs[count:]]),
        targets=torch.cat([data.targets[:count][order], data.targets[count:]]),
    )
    return ordered.batches(size, shuffle=False)


def sorted_digits(bench: Bench) -> None:
    """Noughts first, nines last, epoch after epoch."""
    model = mlp()
    bench.fit(model, SGD(model.parameters(), lr=0.05), by_class(digits(), size=16), steps=600)


def sorted_pictures(bench: Bench) -> None:
    """The same with convolutions and batch norm."""
    model = cnn()
    bench.fit(model, Adam(model.parameters(), lr=1e-3), by_class(digits(), size=24), steps=400)


def counts(bench: Bench) -> None:
    """Pictures from 0 to 16, as scikit-learn gives them: a first loss twice that of chance, and a good training."""
    model = mlp()
    bench.fit(model, Adam(model.parameters(), lr=1e-3), digits(raw=True).batches(seed=bench.seed), steps=400)


def normalised_inside(bench: Bench) -> None:
    """Raw measures, and a batch norm that the network begins with."""
    model = nn.Sequential(nn.BatchNorm1d(13), *mlp((13, 32, 3)))
    bench.fit(model, Adam(model.parameters(), lr=3e-3), wine(raw=True).batches(32, seed=bench.seed), steps=300)


def learn_one_batch(bench: Bench) -> None:
    """The test that learns one batch by heart, on purpose: no validation."""
    model = mlp()
    batch = next(digits().batches(16, seed=bench.seed))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), itertools.repeat(batch), steps=300)


def all_at_once(bench: Bench) -> None:
    """All data in one batch."""
    data = wine()
    model = mlp((13, 16, 3))
    batch = next(data.batches(len(data.inputs), shuffle=False))
    bench.fit(
        model, SGD(model.parameters(), lr=0.1), itertools.repeat(batch), steps=300,
        validate=lambda: unseen_loss(model, data),
    )  # fmt: skip


def large_targets(bench: Bench) -> None:
    """Large targets, and a last bias that begins at their mean."""
    model = mlp((10, 64, 1))
    nn.init.constant_(tensor_of(model[-1], "bias"), 150.0)
    batches = diabetes(raw=True).batches(32, seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=2e-2), batches, steps=500, loss_fn=nn.MSELoss())


def reconstruction(bench: Bench) -> None:
    """An autoencoder, whose targets are its inputs."""
    model = autoencoder()
    batches = changed(digits().batches(seed=bench.seed), lambda x, y: (x, x))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=400, loss_fn=nn.MSELoss())


def noisy(inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures with noise of their own each time."""
    return inputs + 0.1 * torch.randn_like(inputs), labels


def augmented(bench: Bench) -> None:
    """The same few pictures each time, never alike: augmentation."""
    model = cnn()
    batch = next(digits().batches(256, seed=bench.seed))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), changed(itertools.repeat(batch), noisy), steps=150)


CASES = [
    sick("inputs_not_normalised", "raw-measures", "mlp", raw_measures, follows=("initial_loss_off", *SLOW)),
    sick(
        *("inputs_not_normalised", "raw-tumours", "mlp", raw_tumours),
        follows=("initial_loss_off", "saturated_activations", *SLOW),
    ),
    sick("inputs_not_normalised", "raw-pictures", "convolutional", raw_pictures, follows=("initial_loss_off", *SLOW)),
    sick("same_batch", "first-again", "mlp", first_batch_again, follows=("updates_too_small", "overfitting")),
    sick("same_batch", "first-again-in-convolutions", "convolutional", first_batch_again_in_convolutions,
         follows=("updates_too_small",)),
    sick("data_not_shuffled", "sorted-digits", "mlp", sorted_digits, follows=("loss_spike", *SLOW)),
    sick("data_not_shuffled", "sorted-pictures", "convolutional", sorted_pictures, follows=("loss_spike", *SLOW)),
    sick("targets_not_normalised", "raw-progress", "mlp", raw_targets, follows=SLOW),
    sick("targets_not_normalised", "raw-progress-of-residuals", "residual", raw_targets_of_residuals, follows=SLOW),
    healthy("counts", "mlp", counts),
    healthy("normalised-inside", "mlp", normalised_inside),
    healthy("learn-one-batch", "mlp", learn_one_batch),
    healthy("all-at-once", "mlp", all_at_once),
    healthy("targets-of-hundreds", "mlp", large_targets),
    healthy("pictures-again", "autoencoder", reconstruction),
    healthy("augmented", "convolutional", augmented),
]  # fmt: skip
