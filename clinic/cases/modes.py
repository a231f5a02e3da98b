"""Training and evaluation mode, mixed up."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.optim import SGD, Adam

from clinic.bench import Bench
from clinic.case import healthy, sick
from clinic.material import Data, digits, text, token_loss
from clinic.networks import RNN, cnn, mlp

OVER = ("loss_not_decreasing",)


def validation(
    model: nn.Module, data: Data, *, before: bool | None, after: bool | None
) -> Callable[[], dict[str, float]]:
    """A validation that sets the training mode ``before`` and ``after`` it; None forgets to."""
    inputs, labels = data.validation()

    def validate() -> dict[str, float]:
        if before is not None:
            model.train(before)
        with torch.no_grad():
            logits = model(inputs)
        if after is not None:
            model.train(after)
        return {
            "val_loss": float(nn.functional.cross_entropy(logits, labels)),
            "val_accuracy": float((logits.argmax(1) == labels).float().mean()),
        }

    return validate


def forgot_eval(bench: Bench) -> None:
    """No model.eval() before validation, of a network with dropout."""
    model, data = mlp(dropout=0.3), digits()
    check = validation(model, data, before=None, after=None)
    batches = data.batches(seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=400, validate=check, validate_every=25)


def forgot_eval_of_convolutions(bench: Bench) -> None:
    """The same with batch norm."""
    model, data = cnn(), digits()
    check = validation(model, data, before=None, after=None)
    batches = data.batches(seed=bench.seed)
    bench.fit(model, SGD(model.parameters(), lr=0.05), batches, steps=200, validate=check, validate_every=20)


def forgot_train(bench: Bench) -> None:
    """model.eval() before the first validation, and never model.train() again."""
    model, data = mlp(dropout=0.3), digits()
    check = validation(model, data, before=False, after=None)
    batches = data.batches(seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=400, validate=check, validate_every=50)


def never_trained(bench: Bench) -> None:
    """In evaluation mode all along: batch norm never learns what it normalises by."""
    model, data = cnn(), digits()

    def forget(step: int) -> None:
        model.eval()

    batches = data.batches(seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=200, after_step=forget)


def as_it_should_be(bench: Bench) -> None:
    """eval() and train() where they belong."""
    model, data = mlp(dropout=0.3), digits()
    check = validation(model, data, before=False, after=True)
    batches = data.batches(seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=400, validate=check, validate_every=25)


def frozen_norms(bench: Bench) -> None:
    """Batch norm in evaluation mode on purpose, as in fine-tuning; all else in training mode."""
    model, data = cnn(), digits()

    def freeze(step: int = 0) -> None:
        for layer in model:
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()

    bench.fit(model, Adam(model.parameters(), lr=1e-3), data.batches(seed=bench.seed), steps=200, after_step=freeze)


def no_layer_minds(bench: Bench) -> None:
    """A recurrent network without dropout or norms, validated in training mode: that makes no difference."""
    model, data = RNN(), text()

    def check() -> dict[str, float]:
        inputs, targets = data.validation()
        with torch.no_grad():
            return {"val_loss": float(token_loss(model(inputs[:64]), targets[:64]))}

    batches = data.batches(32, seed=bench.seed)
    bench.fit(
        model, Adam(model.parameters(), lr=2e-3), batches, steps=200, loss_fn=token_loss, validate=check,
        validate_every=20,
    )  # fmt: skip


CASES = [
    sick("validation_in_training_mode", "with-dropout", "mlp", forgot_eval, onset=24),
    sick("validation_in_training_mode", "with-batch-norm", "convolutional", forgot_eval_of_convolutions, onset=19),
    sick("training_in_evaluation_mode", "after-validation", "mlp", forgot_train, onset=50),
    sick("training_in_evaluation_mode", "from-the-start", "convolutional", never_trained),
    healthy("modes-as-they-should-be", "mlp", as_it_should_be),
    healthy("frozen-norms", "convolutional", frozen_norms),
    healthy("no-layer-minds-its-mode", "recurrent", no_layer_minds),
]  # fmt: skip
