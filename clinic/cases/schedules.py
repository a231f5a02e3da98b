"""Learning rates that are too high, too low, or end too early."""

from __future__ import annotations

from torch import nn
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LambdaLR, StepLR

from clinic.bench import Bench
from clinic.case import sick
from clinic.material import cancer, digits, text, token_loss
from clinic.networks import GPT, RNN, cnn, mlp, residual_net

WILD = (
    *("loss_spike", "loss_diverging", "updates_too_large", "exploding_gradients", "non_finite_values"),
    *(
        "class_collapse",
        "dead_activations",
        "layer_not_learning",
        "loss_not_decreasing",
        "saturated_activations",
        "vanishing_gradients",
        "updates_too_small",
        "loss_oscillating",
    ),
)
CRAWLS = ("loss_not_decreasing", "class_collapse")
SWINGS = ("loss_oscillating", "loss_spike")
STOPPED = ("loss_not_decreasing", "updates_too_small", "layer_not_learning")


def peak_too_high(bench: Bench) -> None:
    """A warm-up over 300 steps that ends at a rate of 0.3 for Adam."""
    model = mlp((64, 64, 64, 64, 10), activation=nn.Tanh)
    optimizer = Adam(model.parameters(), lr=0.3)
    schedule = LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 300))
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=900, schedule=schedule)


def jump_too_high(bench: Bench) -> None:
    """A rate that is raised a hundredfold at step 300, as a resumed script did."""
    model = mlp((30, 64, 64, 2), activation=nn.GELU)
    optimizer = AdamW(model.parameters(), lr=2e-3)
    schedule = LambdaLR(optimizer, lambda step: 1.0 if step < 300 else 300.0)
    bench.fit(model, optimizer, cancer().batches(32, seed=bench.seed), steps=900, schedule=schedule)


def peak_too_high_for_a_gpt(bench: Bench) -> None:
    """A warm-up over 300 steps that ends at 0.3."""
    model = GPT(width=32)
    optimizer = AdamW(model.parameters(), lr=0.3)
    schedule = LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 300))
    batches = text().batches(16, seed=bench.seed)
    bench.fit(model, optimizer, batches, steps=700, schedule=schedule, loss_fn=token_loss)


def crawling(bench: Bench) -> None:
    """Adam with 4e-6."""
    model = mlp((64, 64, 64, 10))
    bench.fit(model, Adam(model.parameters(), lr=4e-6), digits().batches(seed=bench.seed), steps=1500)


def crawling_sgd(bench: Bench) -> None:
    """SGD with 5e-4."""
    model = mlp((30, 64, 64, 2), activation=nn.GELU)
    bench.fit(model, SGD(model.parameters(), lr=5e-4), cancer().batches(64, seed=bench.seed), steps=1500)


def crawling_gpt(bench: Bench) -> None:
    """A language model, AdamW with 3e-6."""
    model = GPT(width=32)
    optimizer = AdamW(model.parameters(), lr=3e-6)
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=700, loss_fn=token_loss)


def epochs_for_batches(bench: Bench) -> None:
    """A decay meant for epochs, made after each batch."""
    model = mlp((64, 64, 64, 10))
    optimizer = Adam(model.parameters(), lr=1e-3)
    schedule = ExponentialLR(optimizer, 0.95)
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=1200, schedule=schedule)


def cosine_of_a_shorter_run(bench: Bench) -> None:
    """A cosine that reaches zero after 100 steps of 1,200, and stays there."""
    model = mlp((30, 64, 2), activation=nn.Tanh)
    optimizer = Adam(model.parameters(), lr=5e-4)
    cosine = CosineAnnealingLR(optimizer, 120)

    class Ends:
        def step(self) -> None:
            if cosine.last_epoch < 120:
                cosine.step()

    bench.fit(model, optimizer, cancer().batches(32, seed=bench.seed), steps=1200, schedule=Ends())


def epochs_for_batches_of_convolutions(bench: Bench) -> None:
    """A decay meant for epochs, made after each batch, convolutions."""
    model = cnn()
    optimizer = SGD(model.parameters(), lr=0.01)
    schedule = ExponentialLR(optimizer, 0.93)
    bench.fit(model, optimizer, digits().batches(32, seed=bench.seed), steps=900, schedule=schedule)


def decay_of_every_batch(bench: Bench) -> None:
    """A decay by a tenth meant for epochs, made after each batch: the rate is gone before the loss has fallen."""
    model = mlp((64, 64, 64, 10))
    optimizer = Adam(model.parameters(), lr=1e-3)
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=900, schedule=ExponentialLR(optimizer, 0.9))


def decay_of_every_batch_of_text(bench: Bench) -> None:
    """The same with a GRU that reads text."""
    model = RNN(nn.GRU)
    optimizer = AdamW(model.parameters(), lr=3e-3)
    batches, schedule = text().batches(16, seed=bench.seed), StepLR(optimizer, 10, 0.1)
    bench.fit(model, optimizer, batches, steps=400, loss_fn=token_loss, schedule=schedule)


def cosine_of_epochs(bench: Bench) -> None:
    """T_max is the number of epochs, 40, and the schedule is stepped once a batch."""
    model = mlp((64, 64, 64, 10))
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=900, schedule=CosineAnnealingLR(optimizer, 40))


def cosine_of_half_a_run(bench: Bench) -> None:
    """T_max is half of the run's steps: what was annealed is undone."""
    model = residual_net(depth=2)
    optimizer = AdamW(model.parameters(), lr=2e-3)
    bench.fit(
        model, optimizer, digits().batches(seed=bench.seed), steps=600, schedule=CosineAnnealingLR(optimizer, 300)
    )


CASES = [
    sick("learning_rate_too_high", "peak", "mlp", peak_too_high, follows=WILD, onset=100),
    sick("learning_rate_too_high", "jump", "mlp", jump_too_high, follows=WILD, onset=300),
    sick("learning_rate_too_high", "peak-for-a-gpt", "attention", peak_too_high_for_a_gpt, follows=WILD, onset=100),
    sick("learning_rate_too_low", "adam", "mlp", crawling, follows=CRAWLS),
    sick("learning_rate_too_low", "sgd", "mlp", crawling_sgd, follows=CRAWLS),
    sick("learning_rate_too_low", "gpt", "attention", crawling_gpt, follows=CRAWLS),
    sick("schedule_ended", "epochs-for-batches", "mlp", epochs_for_batches, follows=STOPPED, onset=135),
    sick("schedule_ended", "shorter-run", "mlp", cosine_of_a_shorter_run, follows=STOPPED, onset=120),
    sick(
        "schedule_ended", "convolutions", "convolutional", epochs_for_batches_of_convolutions, follows=STOPPED, onset=95
    ),
    sick("schedule_ended", "every-batch", "mlp", decay_of_every_batch, follows=STOPPED, onset=66),
    sick("schedule_ended", "every-batch-of-text", "recurrent", decay_of_every_batch_of_text, follows=STOPPED, onset=30),
    sick("schedule_overrun", "epochs", "mlp", cosine_of_epochs, follows=SWINGS, onset=40),
    sick("schedule_overrun", "half-a-run", "residual", cosine_of_half_a_run, follows=SWINGS, onset=300),
]
