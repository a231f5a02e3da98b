"""Steps that are too long, too short, or never made; units that die of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW

from clinic.bench import Bench
from clinic.case import sick
from clinic.material import cancer, digits, text, token_loss
from clinic.networks import GPT, cnn, mlp, residual_net

SHUT_AT = 300


def huge_steps(bench: Bench) -> None:
    """Adam with a learning rate of 1."""
    model = mlp((64, 64, 64, 64, 10))
    bench.fit(model, Adam(model.parameters(), lr=1.0), digits().batches(seed=bench.seed), steps=600)


def biases_far_below_zero(bench: Bench) -> None:
    """Biases of hidden layers are drawn at -5, as if they were something else."""
    model = mlp((30, 64, 64, 2))
    for part in list(model)[:-1]:
        if isinstance(part, nn.Linear):
            nn.init.constant_(part.bias, -5.0)
    bench.fit(model, SGD(model.parameters(), lr=0.05), cancer().batches(32, seed=bench.seed), steps=600)


def shut_by_one_step(bench: Bench) -> None:
    """One step shuts the last convolutions."""
    model = cnn(norm=False)

    def shut(step: int) -> None:
        if step == SHUT_AT:
            with torch.no_grad():
                for part in list(model)[3:6]:
                    if isinstance(part, nn.Conv2d):
                        nn.init.constant_(part.bias, -50.0)  # type: ignore[arg-type]  # they have one

    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9)
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=900, after_step=shut)


def too_long(bench: Bench) -> None:
    """Adam with a learning rate of 0.3, and activations that do not die of it."""
    model = mlp((64, 64, 64, 64, 10), activation=nn.Tanh)
    bench.fit(model, Adam(model.parameters(), lr=0.3), digits().batches(seed=bench.seed), steps=600)


def too_long_on_measures(bench: Bench) -> None:
    """A sum in place of a mean makes steps far too long."""
    model = mlp((30, 64, 64, 64, 64, 2), activation=nn.Tanh)
    optimizer = SGD(model.parameters(), lr=1.0, momentum=0.9)

    def total(logits: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits, targets, reduction="sum")

    bench.fit(model, optimizer, cancer().batches(64, seed=bench.seed), steps=600, loss_fn=total)


def too_long_in_a_gpt(bench: Bench) -> None:
    """AdamW with a learning rate of 3."""
    model = GPT(width=32)
    optimizer = AdamW(model.parameters(), lr=3.0)
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=500, loss_fn=token_loss)


def too_short(bench: Bench) -> None:
    """A learning rate that lost five of its zeros' counterparts: 1e-8 for Adam."""
    model = mlp((64, 64, 64, 10))
    bench.fit(model, Adam(model.parameters(), lr=1e-8), digits().batches(seed=bench.seed), steps=600)


def scaled_down(bench: Bench) -> None:
    """A loss that is divided by the size of the data set."""
    model = mlp((30, 64, 64, 2), activation=nn.GELU)

    def small(logits: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits, targets) / 20_000

    batches = cancer().batches(32, seed=bench.seed)
    bench.fit(model, SGD(model.parameters(), lr=0.05), batches, steps=600, loss_fn=small)


def too_short_in_a_gpt(bench: Bench) -> None:
    """AdamW with 1e-8."""
    model = GPT(width=32)
    optimizer = AdamW(model.parameters(), lr=1e-8)
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=500, loss_fn=token_loss)


def forgotten_by_the_optimizer(bench: Bench) -> None:
    """The optimizer was given all layers but the first."""
    model = mlp((64, 64, 64, 10))
    rest = [value for part in list(model)[1:] for value in part.parameters()]
    bench.fit(model, Adam(rest, lr=1e-3), digits().batches(seed=bench.seed), steps=500)


class Detached(nn.Module):
    """Features, a head, and a ``detach`` that was left between them."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.head = mlp((30, 64, 64)), nn.Linear(64, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        """[n, 30] to [n, 2]."""
        return self.head(self.features(inputs).relu().detach())  # type: ignore[no-any-return]  # torch types no call


def detached(bench: Bench) -> None:
    """A ``detach`` left from a trial: what lies before it gets no gradient."""
    model = Detached()
    bench.fit(model, Adam(model.parameters(), lr=1e-3), cancer().batches(32, seed=bench.seed), steps=500)


def forgotten_blocks(bench: Bench) -> None:
    """The optimizer was given the head alone."""
    model = residual_net()
    bench.fit(model, Adam(model[-1].parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=500)


def frozen_head(bench: Bench) -> None:
    """A fresh head was frozen with the rest, which was thawed again."""
    model = mlp((64, 64, 64, 10))
    model.requires_grad_(False)
    model[:-1].requires_grad_(True)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    bench.fit(model, Adam(trained, lr=1e-3), digits().batches(seed=bench.seed), steps=400)


def checkpoint_that_fits_nothing(bench: Bench) -> None:
    """A frozen backbone whose weights were saved under other names, and a head on top."""
    model = cnn()
    saved = {f"module.{name}": value for name, value in cnn().state_dict().items()}
    model.load_state_dict(saved, strict=False)
    model.requires_grad_(False)
    head = model[-1].requires_grad_(True)
    bench.fit(model, Adam(head.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=400)


def noise_in(bench: Bench) -> None:
    """An augmentation that leaves nothing of the picture."""
    model = mlp((64, 32, 10))
    pairs = ((torch.rand_like(inputs), targets) for inputs, targets in digits().batches(seed=bench.seed))
    bench.fit(model, SGD(model.parameters(), lr=0.05), pairs, steps=1500)


def noise_into_tanh(bench: Bench) -> None:
    """Measures of other patients than those of the labels."""
    model = mlp((30, 32, 2), activation=nn.Tanh)
    balanced = (
        (inputs[torch.randperm(len(inputs))], torch.randint(0, 2, targets.shape))
        for inputs, targets in cancer().batches(64, seed=bench.seed)
    )
    bench.fit(model, Adam(model.parameters(), lr=1e-3), balanced, steps=1500)


def noise_into_convolutions(bench: Bench) -> None:
    """An augmentation that leaves nothing of the picture, in front of convolutions."""
    model = cnn()
    pairs = ((torch.rand_like(inputs), targets) for inputs, targets in digits().batches(16, seed=bench.seed))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), pairs, steps=1200)


RATE = "learning_rate_too_high"  # the setting behind steps that are huge; another name for the same ill
KILLED = (
    "class_collapse",
    "layer_not_learning",
    "loss_not_decreasing",
    "updates_too_large",
    "loss_diverging",
    "loss_spike",
    "vanishing_gradients",
    "updates_too_small",
)
LONG = (
    "class_collapse",
    "saturated_activations",
    "loss_diverging",
    "loss_not_decreasing",
    "loss_spike",
    "exploding_gradients",
    "dead_activations",
    "layer_not_learning",
    "vanishing_gradients",
    "loss_oscillating",
)
SHORT = ("loss_not_decreasing", "learning_rate_too_low", "class_collapse")

CASES = [
    sick("dead_activations", "huge-steps", "mlp", huge_steps, follows=(*KILLED, RATE)),
    sick("dead_activations", "biases", "mlp", biases_far_below_zero, follows=KILLED),
    sick("dead_activations", "shut-by-one-step", "convolutional", shut_by_one_step, follows=KILLED, onset=SHUT_AT),
    sick("updates_too_large", "adam", "mlp", too_long, follows=(*LONG, RATE)),
    sick("updates_too_large", "sum-for-mean", "mlp", too_long_on_measures, follows=LONG),
    sick("updates_too_large", "gpt", "attention", too_long_in_a_gpt, follows=(*LONG, RATE)),
    sick("updates_too_small", "adam", "mlp", too_short, follows=SHORT),
    sick("updates_too_small", "scaled-loss", "mlp", scaled_down, follows=SHORT),
    sick("updates_too_small", "gpt", "attention", too_short_in_a_gpt, follows=SHORT),
    sick("layer_not_learning", "forgotten-by-the-optimizer", "mlp", forgotten_by_the_optimizer),
    sick("layer_not_learning", "detached", "mlp", detached),
    sick("frozen_untrained", "frozen-head", "mlp", frozen_head),
    sick("frozen_untrained", "checkpoint-that-fits-nothing", "convolutional", checkpoint_that_fits_nothing),
    sick("layer_not_learning", "head-alone", "residual", forgotten_blocks),
    sick("loss_not_decreasing", "noise", "mlp", noise_in),
    sick("loss_not_decreasing", "noise-into-tanh", "mlp", noise_into_tanh),
    sick("loss_not_decreasing", "noise-into-convolutions", "convolutional", noise_into_convolutions),
]
