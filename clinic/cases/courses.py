"""Losses that rest or swing, learning rates that wait, and validations that say nothing."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import LambdaLR, LinearLR

from clinic.bench import Batches, Bench
from clinic.case import healthy, sick
from clinic.cases.task import changed
from clinic.material import Data, cancer, diabetes, digits, text, token_loss, wine
from clinic.networks import RNN, mlp, residual_net

TURN = 30  # batches of one kind, and then so many of the other


def thumbnails(bench: Bench) -> None:
    """Of every picture only the brightness of its upper and of its lower half is left."""

    def shrunk(inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        halves = inputs.view(len(inputs), 2, 32).mean(2, keepdim=True)
        return halves.expand(-1, 2, 32).flatten(1), labels

    model = mlp()
    batches = changed(digits().batches(seed=bench.seed), shrunk)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=1500)


def misread_labels(bench: Bench) -> None:
    """Three in four labels are drawn anew in every batch: residual blocks learn what is left, and no more."""

    def misread(inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return inputs, torch.where(torch.rand(len(labels)) < 0.75, torch.randint(0, 10, labels.shape), labels)

    model = residual_net(depth=2)
    batches = changed(digits().batches(seed=bench.seed), misread)
    bench.fit(model, SGD(model.parameters(), lr=0.05), batches, steps=1200)


def foreign_context(bench: Bench) -> None:
    """Inputs that were shuffled apart from their targets: how often bytes come can be learnt, and nothing else."""
    model = RNN()
    batches = changed(text().batches(16, seed=bench.seed), lambda x, y: (x[torch.randperm(len(x))], y))
    bench.fit(model, Adam(model.parameters(), lr=2e-3), batches, steps=800, loss_fn=token_loss)


def by_turns(batches: Batches) -> Batches:
    """Shards of some dozens of batches, read one after another; labels of every second one belong to other inputs."""
    for step, (inputs, labels) in enumerate(batches):
        yield inputs, (labels[torch.randperm(len(labels))] if step // TURN % 2 else labels)


def shards_by_turns(bench: Bench) -> None:
    """What one shard teaches the next one spoils."""
    model = mlp()
    batches = by_turns(digits().batches(seed=bench.seed))
    bench.fit(model, SGD(model.parameters(), lr=0.2), batches, steps=2000)


def shards_by_turns_for_blocks(bench: Bench) -> None:
    """The same with residual blocks."""
    model = residual_net(depth=2)
    batches = by_turns(digits().batches(seed=bench.seed))
    bench.fit(model, SGD(model.parameters(), lr=0.1), batches, steps=900)


def loss_of(model: nn.Module, data: Data, loss_fn: Callable[[Tensor, Tensor], Tensor]) -> float:
    """The loss of the validation part, in evaluation mode."""
    inputs, targets = (part[:400] for part in data.validation())
    was_training = model.training
    model.eval()
    with torch.no_grad():
        loss = float(loss_fn(model(inputs), targets))
    model.train(was_training)
    return loss


def old_copy(bench: Bench) -> None:
    """What is evaluated is a copy that was made before the training."""
    model, data = mlp(), digits()
    copied = copy.deepcopy(model)
    bench.fit(
        model, Adam(model.parameters(), lr=1e-3), data.batches(seed=bench.seed), steps=1000,
        validate=lambda: {"val_loss": loss_of(copied, data, nn.functional.cross_entropy)}, validate_every=20,
    )  # fmt: skip


def mean_over_nothing(bench: Bench) -> None:
    """A filter leaves no examples for the validation, and the mean over none is NaN."""
    model, data = residual_net(depth=2), digits()
    nothing = Data(inputs=data.inputs[:0], targets=data.targets[:0])
    bench.fit(
        model, SGD(model.parameters(), lr=0.05), data.batches(seed=bench.seed), steps=700,
        validate=lambda: {"eval/loss": loss_of(model, nothing, nn.functional.cross_entropy)}, validate_every=20,
    )  # fmt: skip


def used_up(bench: Bench) -> None:
    """A generator of the validation's batches that was used up when somebody counted them: their sum is 0."""
    model, data = RNN(), text()
    found = itertools.islice(data.batches(32, seed=1), 4)
    assert len(list(found)) == 4

    def validate() -> dict[str, float]:
        losses = [float(token_loss(model(inputs), targets)) for inputs, targets in found]
        return {"valid_loss": sum(losses) / max(1, len(losses))}

    batches = data.batches(16, seed=bench.seed)
    optimizer = Adam(model.parameters(), lr=2e-3)
    bench.fit(model, optimizer, batches, steps=400, loss_fn=token_loss, validate=validate, validate_every=10)


def never_stepped(bench: Bench) -> None:
    """A warm-up from zero, and nobody calls schedule.step()."""
    model = mlp()
    optimizer = Adam(model.parameters(), lr=1e-3)
    LambdaLR(optimizer, lambda step: min(1.0, step / 100))
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=1500)


def stays_at_a_thousandth(bench: Bench) -> None:
    """A warm-up from a thousandth of the rate, which is made and forgotten."""
    model = residual_net(depth=2)
    optimizer = AdamW(model.parameters(), lr=1e-3)
    LinearLR(optimizer, start_factor=1e-3, total_iters=200)
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=1000)


def rests_at_the_noise(bench: Bench) -> None:
    """Half of the target can be explained, and the loss has been at its floor for long."""
    model = mlp((10, 8, 1))
    batches = diabetes().batches(32, seed=bench.seed)
    optimizer = AdamW(model.parameters(), lr=2e-3, weight_decay=0.3)
    bench.fit(model, optimizer, batches, steps=2000, loss_fn=nn.functional.mse_loss)


def rests_on_smoothed_labels(bench: Bench) -> None:
    """All is learnt, and the loss of smoothed labels rests far above zero."""
    model = residual_net(depth=2)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.3)
    batches = digits().batches(seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=1200, loss_fn=criterion)


def game_with_one_loss(bench: Bench) -> None:
    """A generator against a critic whose loss, called "loss", hovers a little under its start."""
    generator, critic = mlp((4, 32, 32, 2)), mlp((2, 32, 32, 1), activation=nn.LeakyReLU)
    optimizers = [Adam(net.parameters(), lr=1e-3, betas=(0.5, 0.9)) for net in (critic, generator)]
    bench.run.watch({"generator": generator, "critic": critic}, optimizers)
    criterion = nn.BCEWithLogitsLoss()
    real_word, false_word = torch.ones(64, 1), torch.zeros(64, 1)
    for _ in range(900):
        angle = torch.rand(64, 1) * 6.28
        real, made = torch.cat([angle.cos(), angle.sin()], 1), generator(torch.randn(64, 4))
        loss = criterion(critic(real), real_word) + criterion(critic(made.detach()), false_word)
        optimizers[0].zero_grad()
        loss.backward()
        optimizers[0].step()
        optimizers[1].zero_grad()
        criterion(critic(made), real_word).backward()
        optimizers[1].step()
        bench.run.log({"loss": loss})


def the_same_order(bench: Bench) -> None:
    """Tumours in the same order in every epoch, in batches of eight: the loss has the period of an epoch."""
    model = mlp((30, 32, 2))
    batches = cancer().batches(8, shuffle=False)
    bench.fit(model, SGD(model.parameters(), lr=0.02, momentum=0.9), batches, steps=1200)


def last_result_again(bench: Bench) -> None:
    """The last validation loss is logged again with every training loss; the accuracy on 36 wines stays as it is."""
    model, data = mlp((13, 32, 3)), wine()
    inputs, labels = data.validation()
    last = {"val_loss": 0.0, "val_accuracy": 0.0}

    def log(step: int) -> None:
        if step % 40 == 0:
            last["val_loss"] = loss_of(model, data, nn.functional.cross_entropy)
            with torch.no_grad():
                last["val_accuracy"] = float((model(inputs).argmax(1) == labels).float().mean())
        bench.run.log(dict(last))

    bench.fit(model, Adam(model.parameters(), lr=1e-3), data.batches(32, seed=bench.seed), steps=400, after_step=log)


def warm_up_for_long(bench: Bench) -> None:
    """A warm-up by the square of the steps, for half of the run: at the 50th the rate is a hundredth."""
    model = residual_net(depth=4)
    optimizer = AdamW(model.parameters(), lr=2e-3)
    schedule = LambdaLR(optimizer, lambda step: min(1.0, (step / 500) ** 2))
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=1000, schedule=schedule)


RESTS = ("loss_not_decreasing", "labels_shuffled", "class_collapse", "overfitting")
SWINGS = ("loss_spike", "learning_rate_too_high", "loss_diverging", "updates_too_large", "loss_not_decreasing")
WAITS = (
    *("layer_not_learning", "loss_not_decreasing", "updates_too_small", "learning_rate_too_low", "class_collapse"),
    *("labels_shuffled", "loss_plateau"),
)

CASES = [
    sick("loss_plateau", "thumbnails", "mlp", thumbnails, follows=RESTS, onset=300),
    sick("loss_plateau", "misread-labels", "residual", misread_labels, follows=RESTS, onset=300),
    sick("loss_plateau", "foreign-context", "recurrent", foreign_context, follows=RESTS, onset=300),
    sick("loss_oscillating", "shards-by-turns", "mlp", shards_by_turns, follows=SWINGS),
    sick("loss_oscillating", "shards-of-blocks", "residual", shards_by_turns_for_blocks, follows=SWINGS),
    sick("validation_degenerate", "old-copy", "mlp", old_copy, onset=19),
    sick("validation_degenerate", "mean-over-nothing", "residual", mean_over_nothing, onset=19),
    sick("validation_degenerate", "used-up", "recurrent", used_up, onset=9),
    sick("schedule_not_started", "never-stepped", "mlp", never_stepped, follows=WAITS),
    sick("schedule_not_started", "a-thousandth", "residual", stays_at_a_thousandth, follows=WAITS),
    healthy("rests-at-the-noise", "mlp", rests_at_the_noise),
    healthy("rests-on-smoothed-labels", "residual", rests_on_smoothed_labels),
    healthy("game-with-one-loss", "gan", game_with_one_loss),
    healthy("the-same-order", "mlp", the_same_order),
    healthy("last-result-again", "mlp", last_result_again),
    healthy("warm-up-for-long", "residual", warm_up_for_long),
]  # fmt: skip
