"""Losses and labels that do not fit what is to be learnt."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam

from clinic.bench import Batches, Bench
from clinic.case import healthy, sick
from clinic.material import cancer, diabetes, digits, text, token_loss
from clinic.networks import GPT, RNN, cnn, mlp, residual_net

SLOW = ("loss_not_decreasing",)
# what pays best is ever larger outputs
UNBOUNDED = ("class_collapse", "activations_growing", "exploding_gradients", "non_finite_values")
Task = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def tensor_of(layer: nn.Module, name: str = "weight") -> Tensor:
    """A parameter of a layer."""
    return layer.get_parameter(name)


def changed(batches: Batches, change: Task) -> Batches:
    """Batches after a change of inputs and targets."""
    for inputs, targets in batches:
        yield change(inputs, targets)


def softmax_at_the_end(bench: Bench) -> None:
    """Softmax, and cross entropy behind it."""
    model = nn.Sequential(mlp(), nn.Softmax(-1))
    bench.fit(model, SGD(model.parameters(), lr=0.2, momentum=0.9), digits().batches(seed=bench.seed), steps=300)


def softmax_of_convolutions(bench: Bench) -> None:
    """The same by a function, which no list of layers shows."""
    model = cnn()

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits.softmax(-1), labels)

    bench.fit(model, Adam(model.parameters(), lr=2e-3), digits().batches(seed=bench.seed), steps=200, loss_fn=loss)


def sigmoid_at_the_end(bench: Bench) -> None:
    """A sigmoid, and the loss that applies it again."""
    model = nn.Sequential(mlp((30, 32, 1)), nn.Sigmoid())
    batches = changed(cancer().batches(32, seed=bench.seed), lambda x, y: (x, y.float()[:, None]))
    bench.fit(model, Adam(model.parameters(), lr=3e-3), batches, steps=300, loss_fn=nn.BCEWithLogitsLoss())


def large_last_layer(bench: Bench) -> None:
    """A head whose first weights are ten times too large."""
    model = mlp()
    nn.init.normal_(tensor_of(model[-1]), std=4.0)
    bench.fit(model, SGD(model.parameters(), lr=0.01), digits().batches(seed=bench.seed), steps=300)


def large_head_of_residuals(bench: Bench) -> None:
    """The same behind residual blocks."""
    model = residual_net()
    nn.init.normal_(tensor_of(model[-1]), std=2.0)
    bench.fit(model, Adam(model.parameters(), lr=3e-4), digits().batches(seed=bench.seed), steps=300)


def collapsed_by_dead_units(bench: Bench) -> None:
    """Biases so low that no unit ever fires: the last bias alone is left to learn."""
    model = mlp()
    for layer in (model[0], model[2]):
        nn.init.constant_(tensor_of(layer, "bias"), -20.0)
    bench.fit(model, SGD(model.parameters(), lr=0.05), digits().batches(seed=bench.seed), steps=400)


def collapsed_convolutions(bench: Bench) -> None:
    """Pictures that are lost on their way: a mask of zeros."""
    model = nn.Sequential(cnn(norm=False))
    batches = changed(digits().batches(seed=bench.seed), lambda x, y: (x * 0, y))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=400)


def constant_labels(bench: Bench) -> None:
    """A comparison that is always false."""
    model = mlp()
    batches = changed(digits().batches(seed=bench.seed), lambda x, y: (x, (y > 20).long()))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=300)


def constant_labels_of_convolutions(bench: Bench) -> None:
    """An argmax over the wrong dimension of one-hot labels of one column."""
    model = cnn()
    batches = changed(digits().batches(seed=bench.seed), lambda x, y: (x, y[:, None].argmax(1)))
    bench.fit(model, SGD(model.parameters(), lr=0.05), batches, steps=200)


def constant_decisions(bench: Bench) -> None:
    """Two classes, one of which was lost in the join."""
    model = mlp((30, 32, 1))
    batches = changed(cancer().batches(32, seed=bench.seed), lambda x, y: (x, torch.ones(len(y), 1)))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=300, loss_fn=nn.BCEWithLogitsLoss())


def permuted(inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Labels in an order of their own."""
    return inputs, labels[torch.randperm(len(labels))]


def shuffled_labels(bench: Bench) -> None:
    """Inputs and labels shuffled apart, anew in every batch."""
    model = mlp()
    batches = changed(digits().batches(seed=bench.seed), permuted)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=600)


def shuffled_labels_of_convolutions(bench: Bench) -> None:
    """The same with convolutions."""
    model = cnn()
    batches = changed(digits().batches(seed=bench.seed), permuted)
    bench.fit(model, SGD(model.parameters(), lr=0.02, momentum=0.9), batches, steps=400)


def flat_targets(batches: Batches) -> Batches:
    """Targets of [n], for predictions of [n, 1]."""
    return changed(batches, lambda x, y: (x, y.squeeze(-1)))


def broadcast_regression(bench: Bench) -> None:
    """[n, 1] against [n]."""
    model = mlp((10, 32, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the very one that people overlook
        batches = flat_targets(diabetes().batches(32, seed=bench.seed))
        bench.fit(model, Adam(model.parameters(), lr=3e-3), batches, steps=300, loss_fn=nn.MSELoss())


def broadcast_residuals(bench: Bench) -> None:
    """The same, another loss and network."""
    model = residual_net(inputs=10, classes=1, depth=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batches = flat_targets(diabetes().batches(32, seed=bench.seed))
        bench.fit(model, SGD(model.parameters(), lr=0.01), batches, steps=300, loss_fn=nn.SmoothL1Loss())


def smoothed_labels(bench: Bench) -> None:
    """Label smoothing: a loss that stays high though all is learnt."""
    model = mlp()
    bench.fit(
        model, Adam(model.parameters(), lr=2e-3), digits().batches(seed=bench.seed), steps=300,
        loss_fn=nn.CrossEntropyLoss(label_smoothing=0.1),
    )  # fmt: skip


def log_probabilities(bench: Bench) -> None:
    """log_softmax and nll_loss, as they belong together."""
    model = nn.Sequential(mlp(), nn.LogSoftmax(-1))
    bench.fit(
        model, Adam(model.parameters(), lr=2e-3), digits().batches(seed=bench.seed), steps=300, loss_fn=nn.NLLLoss()
    )


def contrastive(bench: Bench) -> None:
    """Two views of each picture find one another: labels are the rows' numbers, and chance is log batch."""
    model = mlp((64, 64, 32))

    def loss(found: Tensor, _: Tensor) -> Tensor:
        one, other = nn.functional.normalize(found, dim=-1).chunk(2)
        return nn.functional.cross_entropy(one @ other.T / 0.1, torch.arange(len(one)))

    batches = changed(
        digits().batches(seed=bench.seed), lambda x, y: (torch.cat([x, x + 0.1 * torch.randn_like(x)]), y)
    )
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=300, loss_fn=loss)


def contrast_with_one_place(bench: Bench) -> None:
    """The right answer always stands at place 0, the wrong ones behind it."""
    model = mlp((64, 64, 32))

    def loss(found: Tensor, _: Tensor) -> Tensor:
        one, other = nn.functional.normalize(found, dim=-1).chunk(2)
        alike = one @ other.T
        wrong = alike[~torch.eye(len(one), dtype=torch.bool)].view(len(one), -1)
        logits = torch.cat([alike.diagonal()[:, None], wrong], 1) / 0.2
        return nn.functional.cross_entropy(logits, torch.zeros(len(one), dtype=torch.long))

    batches = changed(
        digits().batches(seed=bench.seed), lambda x, y: (torch.cat([x, x + 0.1 * torch.randn_like(x)]), y)
    )
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=300, loss_fn=loss)


def few_tumours(bench: Bench) -> None:
    """Two classes, 95 to 5: most predictions are the same, as they should be."""
    model = mlp((30, 32, 2))
    kept = changed(cancer().batches(128, seed=bench.seed), rarer)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), kept, steps=300)


def rarer(inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Of class 0 one row in fourteen."""
    places = torch.cat([torch.where(labels == 1)[0], torch.where(labels == 0)[0][::14]])
    return inputs[places], labels[places]


def tokens(bench: Bench) -> None:
    """A recurrent language model, which says the commonest byte to everything at first."""
    model = RNN()
    batches = text().batches(32, seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=2e-3), batches, steps=300, loss_fn=token_loss)


def attentive_tokens(bench: Bench) -> None:
    """A small GPT at a small learning rate."""
    model = GPT()
    batches = text().batches(16, seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=200, loss_fn=token_loss)


def signs_for_labels(bench: Bench) -> None:
    """A binary cross entropy whose labels are -1 and 1."""
    model = mlp((30, 32, 1))
    batches = changed(cancer().batches(32, seed=bench.seed), lambda x, y: (x, 2.0 * y[:, None].float() - 1))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=300, loss_fn=nn.BCEWithLogitsLoss())


def probabilities_for_logarithms(bench: Bench) -> None:
    """A negative log-likelihood that is given the probabilities themselves."""
    model = nn.Sequential(cnn(), nn.Softmax(1))
    bench.fit(
        model, Adam(model.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=300, loss_fn=nn.NLLLoss()
    )


def counted_stars(bench: Bench) -> None:
    """A binary cross entropy on labels that count classes."""
    model = nn.Sequential(cnn(), nn.Linear(10, 1))
    batches = changed(digits().batches(seed=bench.seed), lambda x, y: (x, y[:, None].float()))
    bench.fit(model, SGD(model.parameters(), lr=0.01), batches, steps=300, loss_fn=nn.BCEWithLogitsLoss())


CASES = [
    sick("loss_unsuited", "signs", "mlp", signs_for_labels, follows=UNBOUNDED),
    sick("loss_unsuited", "probabilities", "convolutional", probabilities_for_logarithms, follows=UNBOUNDED),
    sick("loss_unsuited", "counted", "convolutional", counted_stars, follows=UNBOUNDED),
    sick("softmax_twice", "at-the-end", "mlp", softmax_at_the_end),
    sick("softmax_twice", "of-convolutions", "convolutional", softmax_of_convolutions),
    sick("softmax_twice", "of-decisions", "mlp", sigmoid_at_the_end, follows=("class_collapse",)),
    sick("initial_loss_off", "large-head", "mlp", large_last_layer),
    sick("initial_loss_off", "large-head-of-residuals", "residual", large_head_of_residuals),
    sick("class_collapse", "dead-units", "mlp", collapsed_by_dead_units,
         follows=("dead_activations", "layer_not_learning", "loss_not_decreasing", "labels_shuffled",
                  "updates_too_small")),
    sick("class_collapse", "lost-pictures", "convolutional", collapsed_convolutions,
         follows=("layer_not_learning", "loss_not_decreasing", "labels_shuffled")),
    sick("labels_constant", "always-false", "mlp", constant_labels, follows=("updates_too_small",)),
    sick("labels_constant", "wrong-dimension", "convolutional", constant_labels_of_convolutions,
         follows=("updates_too_small",)),
    sick("labels_constant", "lost-class", "mlp", constant_decisions, follows=("updates_too_small",)),
    sick("labels_shuffled", "in-every-batch", "mlp", shuffled_labels, follows=(*SLOW, "class_collapse")),
    sick("labels_shuffled", "in-every-batch-of-convolutions", "convolutional", shuffled_labels_of_convolutions,
         follows=(*SLOW, "class_collapse")),
    sick("shape_broadcast", "column-and-row", "mlp", broadcast_regression, follows=SLOW),
    sick("shape_broadcast", "column-and-row-of-residuals", "residual", broadcast_residuals, follows=SLOW),
    healthy("labels-smoothed", "mlp", smoothed_labels),
    healthy("log-probabilities", "mlp", log_probabilities),
    healthy("contrast-of-views", "mlp", contrastive),
    healthy("contrast-with-one-place", "mlp", contrast_with_one_place),
    healthy("few-tumours", "mlp", few_tumours),
    healthy("tokens", "recurrent", tokens),
    healthy("attentive-tokens", "attention", attentive_tokens),
]  # fmt: skip
