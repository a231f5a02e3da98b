"""Numbers that leave the range of what can be learnt from: gradients that explode, NaN, a loss that jumps or leaves."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW

from clinic.bench import Batches, Bench
from clinic.case import sick
from clinic.material import cancer, diabetes, digits, text, token_loss
from clinic.networks import GPT, RNN, cnn, mlp

LOST = (
    "exploding_gradients",
    "learning_rate_too_high",
    "saturated_activations",
    "loss_diverging",
    "loss_spike",
    "non_finite_values",
)
DEAD = ("dead_activations", "layer_not_learning", "loss_not_decreasing", "updates_too_large")
JUMPS_AT = 300
STEPS = 1200
TOO_LONG_AT = JUMPS_AT + 120  # the rate has grown elevenfold


def from_step(
    batches: Batches, first: int, factor: float, *, until: int | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs multiplied from the ``first`` batch on: a broken part of the data."""
    for step, (inputs, targets) in enumerate(batches):
        is_broken = step >= first and (until is None or step < until)
        yield (inputs * factor if is_broken else inputs), targets


def broken_part_of_the_data(bench: Bench) -> None:
    """From a step on, inputs are two thousand times what they were; clipping keeps the weights finite."""
    model = mlp((64, 64, 64, 64, 10), activation=nn.GELU)
    batches = from_step(digits().batches(seed=bench.seed), JUMPS_AT, 2000.0)
    bench.fit(model, SGD(model.parameters(), lr=0.3), batches, steps=STEPS, clip=1.0)


def another_unit(bench: Bench) -> None:
    """From a step on, targets come in thousandths of their unit."""
    model = mlp((10, 64, 64, 1), activation=nn.SiLU)
    pairs = enumerate(diabetes().batches(32, seed=bench.seed))
    batches = ((inputs, targets * (1000.0 if step >= JUMPS_AT else 1.0)) for step, (inputs, targets) in pairs)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=STEPS, loss_fn=nn.functional.mse_loss)


def growing_recurrence(bench: Bench) -> None:
    """A recurrent layer whose weights grow from step to step, clipped."""
    model = RNN(nn.RNN, width=48)
    cell = nn.RNN(32, 48, nonlinearity="relu", batch_first=True)
    model.cell = cell
    batches = text().batches(32, seed=bench.seed)

    def grow(step: int) -> None:
        if step >= JUMPS_AT:
            with torch.no_grad():
                cell.get_parameter("weight_hh_l0").mul_(1.01)

    optimizer = SGD(model.parameters(), lr=0.05)
    bench.fit(model, optimizer, batches, steps=STEPS, loss_fn=token_loss, after_step=grow, clip=1.0)


def nan_in_the_targets(bench: Bench) -> None:
    """One target of the data set is missing."""

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for step, (inputs, targets) in enumerate(diabetes().batches(32, seed=bench.seed)):
            if step == JUMPS_AT:
                targets = targets.clone()
                targets[3] = float("nan")
            yield inputs, targets

    model = mlp((10, 64, 64, 1))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches(), steps=500, loss_fn=nn.functional.mse_loss)


def logarithm_of_zero(bench: Bench) -> None:
    """A cross entropy by hand: the logarithm of a probability that is too small for a float."""

    def loss_fn(logits: Tensor, targets: Tensor) -> Tensor:
        return -logits.softmax(-1).log().gather(1, targets[:, None]).mean()

    model = mlp((30, 64, 64, 2))
    batches = from_step(cancer().batches(32, seed=bench.seed), JUMPS_AT, 500.0, until=JUMPS_AT + 1)
    bench.fit(model, Adam(model.parameters(), lr=3e-3), batches, steps=500, loss_fn=loss_fn)


def mean_over_nothing(bench: Bench) -> None:
    """The loss is a mean over tokens that are no padding, and a batch is all padding."""

    def loss_fn(logits: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=0)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for step, (inputs, targets) in enumerate(text().batches(32, seed=bench.seed)):
            yield inputs, (torch.zeros_like(targets) if step == JUMPS_AT else targets)

    model = RNN()
    bench.fit(model, Adam(model.parameters(), lr=2e-3), batches(), steps=500, loss_fn=loss_fn)


def one_broken_batch(bench: Bench) -> None:
    """The inputs of one batch are a hundred times as large."""
    model = mlp((64, 64, 64, 10))
    batches = from_step(digits().batches(seed=bench.seed), JUMPS_AT, 100.0, until=JUMPS_AT + 1)
    bench.fit(model, SGD(model.parameters(), lr=0.05), batches, steps=STEPS)


def one_step_too_long_in_a_gpt(bench: Bench) -> None:
    """One step of a language model is made with a hundred times the learning rate."""
    model = GPT(width=32)
    optimizer = AdamW(model.parameters(), lr=1e-3)
    slip(bench, model, optimizer, text().batches(16, seed=bench.seed), times=100.0, loss_fn=token_loss)


def slip(
    bench: Bench, model: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches, *, times: float, **more: object
) -> None:
    """Train, with one step that is ``times`` too long."""

    def before(step: int) -> None:
        optimizer.param_groups[0]["lr"] = 1e-3 * (times if step == JUMPS_AT else 1.0)

    bench.fit(model, optimizer, batches, steps=STEPS, before_step=before, **more)  # type: ignore[arg-type]  # as fit has them


def growing_rate(bench: Bench) -> None:
    """A learning rate that is meant to decay, and grows."""
    model = mlp((64, 64, 64, 10), activation=nn.Tanh)
    optimizer = SGD(model.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.02 ** max(0, step - JUMPS_AT))
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=STEPS, schedule=schedule)


def beyond_the_edge(bench: Bench) -> None:
    """A linear model and a step just longer than the curvature allows: each overshoots a little more."""
    model = mlp((10, 1))
    batches = diabetes().batches(128, seed=bench.seed)
    bench.fit(model, SGD(model.parameters(), lr=0.28), batches, steps=STEPS, loss_fn=nn.functional.mse_loss)


def growing_rate_of_a_gpt(bench: Bench) -> None:
    """A learning rate that is meant to decay, and grows, in a language model."""
    model = GPT(width=32)
    optimizer = AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.03 ** max(0, step - JUMPS_AT))
    batches = text().batches(16, seed=bench.seed)
    bench.fit(model, optimizer, batches, steps=STEPS, schedule=schedule, loss_fn=token_loss)


def growing_rate_of_convolutions(bench: Bench) -> None:
    """The same, convolutions."""
    model = cnn(norm=False)
    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.02 ** max(0, step - JUMPS_AT))
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=STEPS, schedule=schedule)


CASES = [
    sick("exploding_gradients", "broken-data", "mlp", broken_part_of_the_data, follows=(*LOST, *DEAD), onset=JUMPS_AT),
    sick("exploding_gradients", "another-unit", "mlp", another_unit, follows=(*LOST, *DEAD), onset=JUMPS_AT),
    sick(
        "exploding_gradients",
        "recurrence",
        "recurrent",
        growing_recurrence,
        follows=(*LOST, *DEAD),
        onset=JUMPS_AT + 130,
    ),
    sick("non_finite_values", "target", "mlp", nan_in_the_targets, onset=JUMPS_AT),
    sick("non_finite_values", "logarithm", "mlp", logarithm_of_zero, follows=("loss_spike",), onset=200),
    sick("non_finite_values", "mean-over-nothing", "recurrent", mean_over_nothing, onset=JUMPS_AT),
    sick("loss_spike", "broken-batch", "mlp", one_broken_batch, follows=("updates_too_large",), onset=JUMPS_AT),
    sick(
        "loss_spike",
        "one-long-step-of-a-gpt",
        "attention",
        one_step_too_long_in_a_gpt,
        follows=("updates_too_large",),
        onset=JUMPS_AT,
    ),
    sick("loss_diverging", "growing-rate", "mlp", growing_rate, follows=(*DEAD, *LOST), onset=TOO_LONG_AT),
    sick("loss_diverging", "beyond-the-edge", "linear", beyond_the_edge, follows=(*DEAD, *LOST)),
    sick(
        "loss_diverging",
        "growing-rate-of-a-gpt",
        "attention",
        growing_rate_of_a_gpt,
        follows=(*DEAD, *LOST, "adam_rms_high"),
        onset=TOO_LONG_AT,
    ),
    sick(
        "loss_diverging",
        "growing-rate-of-convolutions",
        "convolutional",
        growing_rate_of_convolutions,
        follows=(*DEAD, *LOST),
        onset=TOO_LONG_AT,
    ),
]
