"""What goes wrong inside a network: outputs that saturate, fade or grow, and gradients that are kept or cut."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.optim import SGD, Adam

from clinic.bench import Bench
from clinic.case import sick
from clinic.material import cancer, digits, text, token_loss
from clinic.networks import RNN, cnn, mlp

STUCK = ("loss_not_decreasing", "vanishing_gradients", "updates_too_small", "layer_not_learning", "class_collapse")
LARGE = ("poor_initialisation", "initial_loss_off")  # weights are
WILD = (
    "loss_spike",
    "loss_diverging",
    "updates_too_large",
    "exploding_gradients",
    "non_finite_values",
    "dead_activations",
    "class_collapse",
)


def drawn(model: nn.Module, std: float) -> nn.Module:
    """All matrices drawn with this deviation, whatever their size, and biases zero."""
    for value in model.parameters():
        if value.dim() > 1:
            nn.init.normal_(value, std=std)
        else:
            nn.init.zeros_(value)
    return model


def wide_tanh(bench: Bench) -> None:
    """Tanh, and weights drawn with a standard deviation of 1."""
    model = drawn(mlp((64, 64, 64, 64, 10), activation=nn.Tanh), 1.0)
    bench.fit(model, SGD(model.parameters(), lr=0.001), digits().batches(seed=bench.seed), steps=600)


def wide_sigmoid(bench: Bench) -> None:
    """Sigmoids, on measures as they come: up to thousands."""
    model = mlp((30, 64, 64, 2), activation=nn.Sigmoid)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), cancer(raw=True).batches(32, seed=bench.seed), steps=600)


def wide_convolutions(bench: Bench) -> None:
    """Tanh behind convolutions whose weights were drawn with a standard deviation of 1."""
    model = drawn(cnn(activation=nn.Tanh, norm=False), 1.0)
    bench.fit(model, SGD(model.parameters(), lr=0.001), digits().batches(seed=bench.seed), steps=400)


def faint(bench: Bench) -> None:
    """Ten layers of ReLU whose weights were drawn with a standard deviation of 0.02."""
    model = drawn(mlp((64, *([64] * 9), 10)), 0.02)
    bench.fit(model, SGD(model.parameters(), lr=0.1), digits().batches(seed=bench.seed), steps=600)


def faint_on_measures(bench: Bench) -> None:
    """The same, eight layers, Adam and tanh."""
    model = drawn(mlp((30, *([48] * 7), 2), activation=nn.Tanh), 0.02)
    bench.fit(model, SGD(model.parameters(), lr=0.05, momentum=0.9), cancer().batches(32, seed=bench.seed), steps=600)


def faint_autoencoder(bench: Bench) -> None:
    """A deep autoencoder whose weights were drawn with a standard deviation of 0.02."""
    model = drawn(nn.Sequential(mlp((64, 48, 48, 48, 48)), mlp((48, 48, 48, 48, 64))), 0.02)
    pairs = ((inputs, inputs) for inputs, _ in digits().batches(seed=bench.seed))
    bench.fit(model, SGD(model.parameters(), lr=0.1), pairs, steps=600, loss_fn=nn.functional.mse_loss)


def loud(bench: Bench) -> None:
    """Ten layers of ReLU whose weights were drawn with a standard deviation of 0.6."""
    model = drawn(mlp((64, *([64] * 9), 10)), 0.6)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=600)


def loud_on_measures(bench: Bench) -> None:
    """Eight layers of GELU, drawn with 0.8."""
    model = drawn(mlp((30, *([48] * 8), 2), activation=nn.GELU), 0.8)
    bench.fit(model, Adam(model.parameters(), lr=1e-4), cancer().batches(32, seed=bench.seed), steps=600)


def loud_autoencoder(bench: Bench) -> None:
    """A deep autoencoder, drawn with 0.6."""
    model = drawn(nn.Sequential(mlp((64, 48, 48, 48, 48)), nn.ReLU(), mlp((48, 48, 48, 48, 64))), 0.7)
    pairs = ((inputs, inputs) for inputs, _ in digits().batches(seed=bench.seed))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), pairs, steps=600, loss_fn=nn.functional.mse_loss)


class Keeping(SGD):
    """An optimizer whose zero_grad was forgotten."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Nothing is cleared."""


class KeepingAdam(Adam):
    """The same of Adam."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Nothing is cleared."""


def never_cleared(bench: Bench) -> None:
    """Without zero_grad, SGD."""
    model = mlp((64, 64, 64, 10))
    bench.fit(model, Keeping(model.parameters(), lr=0.01), digits().batches(seed=bench.seed), steps=600)


def never_cleared_by_adam(bench: Bench) -> None:
    """Without zero_grad, Adam."""
    model = mlp((30, 48, 48, 2), activation=nn.Tanh)
    bench.fit(model, KeepingAdam(model.parameters(), lr=1e-3), cancer().batches(32, seed=bench.seed), steps=600)


def never_cleared_on_measures(bench: Bench) -> None:
    """Without zero_grad, at a rate of 0.1: the sums swing before a line is to be seen."""
    model = mlp((30, 48, 48, 2))
    bench.fit(model, Keeping(model.parameters(), lr=0.1), cancer().batches(32, seed=bench.seed), steps=600)


def never_cleared_of_convolutions(bench: Bench) -> None:
    """Without zero_grad, convolutions under Adam."""
    model = cnn(norm=False)
    bench.fit(model, KeepingAdam(model.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=400)


def never_cleared_recurrent(bench: Bench) -> None:
    """Without zero_grad, a recurrent layer."""
    model = RNN(width=48)
    optimizer = KeepingAdam(model.parameters(), lr=1e-3)
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=400, loss_fn=token_loss)


def cut_to_nothing(bench: Bench) -> None:
    """Clipped to a norm of 0.001."""
    model = mlp((64, 64, 64, 10))
    bench.fit(model, SGD(model.parameters(), lr=0.1), digits().batches(seed=bench.seed), steps=600, clip=0.001)


def cut_sums(bench: Bench) -> None:
    """A sum where a mean was meant, clipped to what suits a mean."""

    def total(logits: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits, targets, reduction="sum")

    model = mlp((30, 48, 48, 2), activation=nn.Tanh)
    optimizer = SGD(model.parameters(), lr=0.01)
    bench.fit(model, optimizer, cancer().batches(32, seed=bench.seed), steps=600, loss_fn=total, clip=0.1)


def cut_convolutions(bench: Bench) -> None:
    """Convolutions, clipped to 0.001."""
    model = cnn()
    bench.fit(model, SGD(model.parameters(), lr=0.05), digits().batches(seed=bench.seed), steps=400, clip=0.001)


def undivided(times: int) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of each pass as it is, for the bench divides it by the number of passes."""
    return lambda found, labels: times * nn.functional.cross_entropy(found, labels)


def sum_of_passes(bench: Bench) -> None:
    """Four passes of 16 rows in a step, whose losses are not divided."""
    model = mlp()
    batches = digits().batches(16, seed=bench.seed)
    bench.fit(model, SGD(model.parameters(), lr=0.02), batches, steps=300, accumulate=4, loss_fn=undivided(4))


def sum_of_passes_of_convolutions(bench: Bench) -> None:
    """Two passes, and Adam, which hides it."""
    model = cnn()
    batches = digits().batches(32, seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=200, accumulate=2, loss_fn=undivided(2))


CASES = [
    sick("accumulation_unscaled", "four-passes", "mlp", sum_of_passes),
    sick("accumulation_unscaled", "two-passes-of-convolutions", "convolutional", sum_of_passes_of_convolutions),
    sick("saturated_activations", "tanh", "mlp", wide_tanh, follows=(*STUCK, *LARGE)),
    sick("saturated_activations", "sigmoid", "mlp", wide_sigmoid, follows=(*STUCK, *LARGE)),
    sick("saturated_activations", "convolutions", "convolutional", wide_convolutions, follows=(*STUCK, *LARGE)),
    sick("activations_shrinking", "relu", "mlp", faint, follows=STUCK),
    sick("activations_shrinking", "tanh", "mlp", faint_on_measures, follows=STUCK),
    sick("activations_shrinking", "autoencoder", "autoencoder", faint_autoencoder, follows=STUCK),
    sick("activations_growing", "relu", "mlp", loud, follows=(*WILD, *LARGE)),
    sick("activations_growing", "gelu", "mlp", loud_on_measures, follows=(*WILD, *LARGE)),
    sick("activations_growing", "autoencoder", "autoencoder", loud_autoencoder, follows=(*WILD, *LARGE)),
    sick("gradients_not_zeroed", "sgd", "mlp", never_cleared, follows=WILD),
    sick("gradients_not_zeroed", "adam", "mlp", never_cleared_by_adam, follows=WILD),
    sick("gradients_not_zeroed", "fast", "mlp", never_cleared_on_measures, follows=WILD),
    sick("gradients_not_zeroed", "convolutions", "convolutional", never_cleared_of_convolutions, follows=WILD),
    sick("gradients_not_zeroed", "recurrent", "recurrent", never_cleared_recurrent, follows=WILD),
    sick("clipping_always", "to-nothing", "mlp", cut_to_nothing, follows=STUCK),
    sick("clipping_always", "sums", "mlp", cut_sums, follows=STUCK),
    sick("clipping_always", "convolutions", "convolutional", cut_convolutions, follows=STUCK),
]
