"""What is learnt by heart, or not learnt because of what should keep it from being learnt by heart."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW

from clinic.bench import Bench, Loss
from clinic.case import sick
from clinic.material import Data, cancer, diabetes, digits, text, token_loss
from clinic.networks import RNN, cnn, mlp, residual_net

ROUGH = ("loss_spike",)


def validation(model: nn.Module, data: Data, loss_fn: Loss, *, most: int = 400) -> Callable[[], dict[str, float]]:
    """What is logged at an evaluation."""
    inputs, targets = (part[:most] for part in data.validation())

    def evaluate() -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            loss = float(loss_fn(model(inputs), targets))
        model.train()
        return {"val_loss": loss}

    return evaluate


def by_heart(bench: Bench) -> None:
    """Half a thousand weights a patient."""
    data, model = diabetes(), mlp((10, 256, 256, 1))
    evaluate = validation(model, data, nn.functional.mse_loss)
    bench.fit(
        model, Adam(model.parameters(), lr=2e-3), data.batches(32, seed=bench.seed), steps=1500,
        loss_fn=nn.functional.mse_loss, validate=evaluate, validate_every=20,
    )  # fmt: skip


def wrong_labels(bench: Bench) -> None:
    """A third of the labels is wrong, and learnt by heart."""
    found = digits()
    order = torch.Generator().manual_seed(1)
    wrong = torch.rand(len(found.targets), generator=order) < 0.33
    labels = torch.where(wrong, torch.randint(0, 10, found.targets.shape, generator=order), found.targets)
    data, model = Data(inputs=found.inputs, targets=labels), mlp((64, 256, 256, 10))
    evaluate = validation(model, data, nn.functional.cross_entropy)
    batches = data.batches(seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=2e-3), batches, steps=1500, validate=evaluate, validate_every=25)


def wrong_labels_of_blocks(bench: Bench) -> None:
    """A part of the labels is wrong, and learnt by heart by residual blocks."""
    found = digits()
    order = torch.Generator().manual_seed(1)
    wrong = torch.rand(len(found.targets), generator=order) < 0.33
    labels = torch.where(wrong, torch.randint(0, 10, found.targets.shape, generator=order), found.targets)
    data, model = Data(inputs=found.inputs, targets=labels), residual_net(depth=2)
    evaluate = validation(model, data, nn.functional.cross_entropy)
    batches = data.batches(seed=bench.seed)
    bench.fit(model, AdamW(model.parameters(), lr=2e-3), batches, steps=1200, validate=evaluate, validate_every=25)


def shuffled_once(data: Data) -> Data:
    """The same inputs, with each other's labels."""
    order = torch.randperm(len(data.targets), generator=torch.Generator().manual_seed(1))
    return Data(inputs=data.inputs, targets=data.targets[order])


def shuffled_and_learnt(bench: Bench) -> None:
    """Labels shuffled apart from their inputs, once and for all, and learnt by heart."""
    data, model = shuffled_once(digits()), mlp((64, 256, 256, 10))
    evaluate = validation(model, data, nn.functional.cross_entropy)
    batches = data.batches(seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=2e-3), batches, steps=1200, validate=evaluate, validate_every=25)


def shuffled_and_learnt_of_blocks(bench: Bench) -> None:
    """The same with residual blocks; the labels of the validation belong to its inputs."""
    found, model = digits(), residual_net(depth=3)
    evaluate = validation(model, found, nn.functional.cross_entropy)
    batches = shuffled_once(found).batches(seed=bench.seed)
    bench.fit(model, AdamW(model.parameters(), lr=2e-3), batches, steps=1200, validate=evaluate, validate_every=30)


def first_of(data: Data, count: int) -> Data:
    """Few examples to learn from."""
    return Data(inputs=data.inputs[:count], targets=data.targets[:count])


def few_by_heart(bench: Bench) -> None:
    """Thirty pictures of ten classes: what is learnt of them holds for half of the others, and far too surely."""
    found, model = digits(), mlp((64, 256, 256, 10))
    evaluate = validation(model, found, nn.functional.cross_entropy)
    batches = first_of(found, 40).batches(8, seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=5e-3), batches, steps=1000, validate=evaluate, validate_every=25)


def few_by_heart_of_blocks(bench: Bench) -> None:
    """The same with residual blocks."""
    found, model = digits(), residual_net(depth=3)
    evaluate = validation(model, found, nn.functional.cross_entropy)
    batches = first_of(found, 30).batches(8, seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=5e-3), batches, steps=1000, validate=evaluate, validate_every=25)


def decayed(bench: Bench) -> None:
    """Weight decay of 0.5 in the gradient: the weights go to zero."""
    model = mlp((64, 64, 64, 10))
    optimizer = SGD(model.parameters(), lr=0.05, weight_decay=0.5)
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=600)


def decayed_by_adamw(bench: Bench) -> None:
    """AdamW with a decay of 20 where 0.02 was meant."""
    model = mlp((30, 64, 64, 2), activation=nn.GELU)
    optimizer = AdamW(model.parameters(), lr=1e-3, weight_decay=50.0)
    bench.fit(model, optimizer, cancer().batches(32, seed=bench.seed), steps=600)


def decayed_recurrent(bench: Bench) -> None:
    """A recurrent layer, weight decay of 0.3 in the gradient of Adam."""
    model = RNN(width=48)
    optimizer = Adam(model.parameters(), lr=2e-3, weight_decay=0.5)
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=500, loss_fn=token_loss)


def parts(bench: Bench, model: nn.Module, optimizer: torch.optim.Optimizer, data: Data, *, strength: float) -> None:
    """Train with an L1 penalty, and log both parts of the loss."""
    bench.run.watch(model, optimizer)
    batches = data.batches(seed=bench.seed)
    for _ in range(600):
        inputs, targets = next(batches)
        fit = nn.functional.cross_entropy(model(inputs), targets)
        penalty = torch.stack([value.abs().sum() for value in model.parameters()]).sum() * strength
        loss: Tensor = fit + penalty
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        bench.run.log({"loss": loss, "loss/data": fit, "loss/regularisation": penalty})


def penalised(bench: Bench) -> None:
    """An L1 penalty a hundred times too strong."""
    model = mlp((64, 64, 64, 10))
    parts(bench, model, Adam(model.parameters(), lr=1e-3), digits(), strength=0.1)


def penalised_on_measures(bench: Bench) -> None:
    """The same on measures, SGD."""
    model = mlp((30, 48, 2), activation=nn.Tanh)
    parts(bench, model, SGD(model.parameters(), lr=0.01), cancer(), strength=0.1)


def penalised_convolutions(bench: Bench) -> None:
    """The same of convolutions."""
    model = cnn()
    parts(bench, model, Adam(model.parameters(), lr=1e-3), digits(), strength=0.1)


SHRUNK = (
    "regularisation_dominating",
    "updates_too_large",
    "loss_not_decreasing",
    "vanishing_gradients",
    "updates_too_small",
    "layer_not_learning",
    "dead_activations",
    "loss_spike",
    "activations_shrinking",
    "class_collapse",
)

CASES = [
    sick("overfitting", "by-heart", "mlp", by_heart, follows=ROUGH, onset=60),
    sick("overfitting", "wrong-labels", "mlp", wrong_labels, follows=ROUGH, onset=250),
    sick("overfitting", "wrong-labels-of-blocks", "residual", wrong_labels_of_blocks, follows=ROUGH, onset=125),
    sick("overfitting", "few", "mlp", few_by_heart, follows=ROUGH, onset=25),
    sick("overfitting", "few-and-blocks", "residual", few_by_heart_of_blocks, follows=ROUGH, onset=25),
    sick("labels_shuffled", "once-and-learnt", "mlp", shuffled_and_learnt, follows=("overfitting", *ROUGH), onset=25),
    sick(
        "labels_shuffled",
        "once-and-learnt-of-blocks",
        "residual",
        shuffled_and_learnt_of_blocks,
        follows=("overfitting", *ROUGH),
        onset=25,
    ),
    sick("weight_decay_too_strong", "sgd", "mlp", decayed, follows=SHRUNK),
    sick("weight_decay_too_strong", "adamw", "mlp", decayed_by_adamw, follows=SHRUNK),
    sick("weight_decay_too_strong", "recurrent", "recurrent", decayed_recurrent, follows=SHRUNK),
    sick("regularisation_dominating", "l1", "mlp", penalised, follows=SHRUNK),
    sick("regularisation_dominating", "l1-on-measures", "mlp", penalised_on_measures, follows=SHRUNK),
    sick("regularisation_dominating", "l1-of-convolutions", "convolutional", penalised_convolutions, follows=SHRUNK),
]
