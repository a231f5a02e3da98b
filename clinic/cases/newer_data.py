"""Ills of data, tasks and validations in networks that no rule was tuned by."""

from __future__ import annotations

import copy
import itertools
import warnings

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW

from clinic.bench import Batches, Bench
from clinic.case import sick
from clinic.cases.courses import RESTS, SWINGS, by_turns, loss_of
from clinic.cases.explosions import DEAD, JUMPS_AT, LOST, STEPS, from_step
from clinic.cases.generalisation import ROUGH, validation
from clinic.cases.inputs import SLOW, by_class, unseen_loss
from clinic.cases.modes import validation as validation_in_mode
from clinic.cases.task import UNBOUNDED, changed, flat_targets, permuted
from clinic.cases.uses import NOISY, UNKNOWN, mostly_unknown, pairs, tokens
from clinic.made_material import graphs, kinship, shapes, spreads
from clinic.material import Data, digits, text, token_loss
from clinic.newer_networks import Gated, Mixer, OfGraphs, OfNeighbours, OfPoints, UNet, depthwise, temporal

LABELLED = 200  # nodes of the graph that are trained on
SMOOTH = (
    *("loss_not_decreasing", "labels_shuffled", "vanishing_gradients", "layer_not_learning", "updates_too_small"),
    *("activations_shrinking", "loss_plateau", "dead_activations"),
)


def shuffled_labels_of_sets(bench: Bench) -> None:
    """Sets and labels shuffled apart, anew in every batch."""
    model = OfPoints()
    batches = changed(shapes().batches(seed=bench.seed), permuted)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=600)


def shuffled_labels_of_patches(bench: Bench) -> None:
    """The same before a mixer."""
    model = Mixer()
    batches = changed(digits().batches(32, seed=bench.seed), permuted)
    bench.fit(model, AdamW(model.parameters(), lr=1e-3), batches, steps=500)


def sorted_for_a_mixer(bench: Bench) -> None:
    """Noughts first, nines last, epoch after epoch."""
    model = Mixer()
    bench.fit(model, Adam(model.parameters(), lr=1e-3), by_class(digits(), size=16), steps=450)


def sorted_shapes(bench: Bench) -> None:
    """All circles, then all lines, and so on."""
    model = OfPoints()
    bench.fit(model, SGD(model.parameters(), lr=0.02, momentum=0.9), by_class(shapes(), size=32), steps=400)


def places_on_a_map(bench: Bench) -> None:
    """Points in metres of a map: some kilometres from its corner, and some hundred metres from one another."""
    model = OfPoints()
    batches = changed(shapes().batches(seed=bench.seed), lambda x, y: (x * 100 + 5000, y))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=400)


def first_batch_again_in_a_mixer(bench: Bench) -> None:
    """next(iter(loader)) within the loop, of a loader that does not shuffle."""
    model, data = Mixer(), digits()
    batch = next(data.batches(32, seed=bench.seed))
    bench.fit(
        model, AdamW(model.parameters(), lr=2e-3), itertools.repeat(batch), steps=300,
        validate=lambda: unseen_loss(model, data), validate_every=20,
    )  # fmt: skip


def softmax_of_a_mixer(bench: Bench) -> None:
    """Softmax, and cross entropy behind it."""
    model = nn.Sequential(Mixer(), nn.Softmax(-1))
    bench.fit(model, AdamW(model.parameters(), lr=2e-3), digits().batches(seed=bench.seed), steps=300)


def softmax_of_sets(bench: Bench) -> None:
    """The same by a function, of sets."""
    model = OfPoints()

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits.softmax(-1), labels)

    bench.fit(model, Adam(model.parameters(), lr=1e-3), shapes().batches(seed=bench.seed), steps=300, loss_fn=loss)


def column_and_row_of_sets(bench: Bench) -> None:
    """[n, 1] against [n]."""
    model = OfPoints(size=1, outputs=1, largest=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the very one that people overlook
        batches = flat_targets(spreads().batches(32, seed=bench.seed))
        bench.fit(model, Adam(model.parameters(), lr=2e-3), batches, steps=400, loss_fn=nn.MSELoss())


def raw_targets_of_sets(bench: Bench) -> None:
    """Targets around 900, and a rate that would suit targets of size 1."""
    model = OfPoints(size=1, outputs=1, largest=False)
    batches = changed(spreads().batches(32, seed=bench.seed), lambda x, y: (x, y * 120 + 900))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=400, loss_fn=nn.MSELoss())


def noise_for_sets(bench: Bench) -> None:
    """A sampler that gives points by chance, and no longer those of the set."""
    model = OfPoints()
    batches = changed(shapes().batches(seed=bench.seed), lambda x, y: (torch.randn_like(x), y))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=1200)


def smoothed_away(bench: Bench) -> None:
    """Two dozen graph convolutions: all nodes come out alike (Li et al., 2018), and get one answer."""
    neighbours, pictures, labels = kinship(count=300)
    model = OfNeighbours(neighbours, depth=24)

    def of_the_labelled(logits: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits[:LABELLED], labels[:LABELLED])

    batches = itertools.repeat((pictures, labels))
    bench.fit(model, SGD(model.parameters(), lr=0.1, momentum=0.9), batches, steps=400, loss_fn=of_the_labelled)


def few_sentences(bench: Bench) -> None:
    """Sixty-four pieces of text, learnt by heart."""
    found = text()
    few = Data(inputs=found.inputs[:80], targets=found.targets[:80])
    unseen = Data(inputs=found.inputs[:500], targets=found.targets[:500])
    model = Gated()
    bench.fit(
        model, AdamW(model.parameters(), lr=2e-3), few.batches(16, seed=bench.seed), steps=600, loss_fn=token_loss,
        validate=validation(model, unseen, token_loss, most=64), validate_every=20,
    )  # fmt: skip


def wrong_labels_of_patches(bench: Bench) -> None:
    """Some hundred pictures, a third of their labels wrong, learnt by heart by a mixer."""
    found = digits()
    order = torch.Generator().manual_seed(1)
    wrong = torch.rand(len(found.targets), generator=order) < 0.33
    labels = torch.where(wrong, torch.randint(0, 10, found.targets.shape, generator=order), found.targets)
    data, model = Data(inputs=found.inputs[:800], targets=labels[:800]), Mixer(width=48)
    evaluate = validation(model, data, nn.functional.cross_entropy)
    batches = data.batches(32, seed=bench.seed)
    bench.fit(model, AdamW(model.parameters(), lr=2e-3), batches, steps=800, validate=evaluate, validate_every=20)


def a_set_of_one_place(bench: Bench) -> None:
    """Sets are divided by their own deviation, and all points of one are the same: nought by nought."""

    def batches() -> Batches:
        for step, (points, labels) in enumerate(shapes().batches(seed=bench.seed)):
            if step == JUMPS_AT:
                points = points.clone()
                points[5] = points[5, :1]
            yield (points - points.mean(1, keepdim=True)) / points.std(1, keepdim=True), labels

    model = OfPoints()
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches(), steps=500)


def foreign_past(bench: Bench) -> None:
    """Inputs that were shuffled apart from their targets: how often bytes come can be learnt, and nothing else."""
    model = temporal()
    batches = changed(text().batches(16, seed=bench.seed), lambda x, y: (x[torch.randperm(len(x))], y))
    bench.fit(model, AdamW(model.parameters(), lr=1e-3), batches, steps=800, loss_fn=token_loss)


def unknown_to_a_gated_net(bench: Bench) -> None:
    """A tokeniser that knows spaces and ends of lines."""
    tokens(bench, Gated(), mostly_unknown)


def signs_for_shapes(bench: Bench) -> None:
    """A circle or none, by -1 and 1, into a binary cross entropy."""
    model = OfPoints(outputs=1)
    batches = changed(shapes().batches(seed=bench.seed), lambda x, y: (x, 2.0 * (y == 0).float()[:, None] - 1))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=300, loss_fn=nn.BCEWithLogitsLoss())


def one_kind_of_graph(bench: Bench) -> None:
    """A join that lost all kinds but the first."""
    model = OfGraphs()
    batches = changed(graphs().batches(32, seed=bench.seed), lambda x, y: (x, y * 0))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=300)


def old_copy_of_convolutions_over_time(bench: Bench) -> None:
    """What is evaluated is a copy that was made before the training, and meant to follow it."""
    model, data = temporal(), text(sequences=2000)
    copied = copy.deepcopy(model)
    bench.fit(
        model, AdamW(model.parameters(), lr=1e-3), data.batches(16, seed=bench.seed), steps=400, loss_fn=token_loss,
        validate=lambda: {"val_loss": loss_of(copied, data, token_loss)}, validate_every=20,
    )  # fmt: skip


def forgot_eval_of_depthwise(bench: Bench) -> None:
    """No model.eval() before validation, of a network with batch norm."""
    model, data = depthwise(batch_norm=True), digits()
    check = validation_in_mode(model, data, before=None, after=None)
    batches = data.batches(32, seed=bench.seed)
    bench.fit(model, AdamW(model.parameters(), lr=2e-3), batches, steps=300, validate=check, validate_every=20)


def forgot_train_of_a_mixer(bench: Bench) -> None:
    """model.eval() before the first validation, and never model.train() again."""
    model, data = Mixer(drop=0.2), digits()
    check = validation_in_mode(model, data, before=False, after=None)
    batches = data.batches(seed=bench.seed)
    bench.fit(model, AdamW(model.parameters(), lr=1e-3), batches, steps=400, validate=check, validate_every=40)


def pairs_for_depthwise(bench: Bench) -> None:
    """Batch norm over two pictures."""
    pairs(bench, depthwise(batch_norm=True), rate=0.02)


def another_unit_of_points(bench: Bench) -> None:
    """From a step on, points come in thousandths of their unit; clipping keeps the weights finite."""
    model = OfPoints(activation=nn.GELU)
    batches = from_step(shapes().batches(32, seed=bench.seed), JUMPS_AT, 1000.0)
    bench.fit(model, SGD(model.parameters(), lr=0.1), batches, steps=STEPS, clip=1.0)


def one_overexposed_batch(bench: Bench) -> None:
    """The pictures of one batch are thirty times as bright, and so are those that are to come out."""
    model = UNet()

    def cleaned(inputs: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        pictures = inputs.view(-1, 1, 8, 8)
        return pictures + 0.3 * pictures.std() * torch.randn_like(pictures), pictures

    broken = from_step(digits().batches(32, seed=bench.seed), JUMPS_AT, 30.0, until=JUMPS_AT + 1)
    optimizer = AdamW(model.parameters(), lr=1e-3)
    bench.fit(model, optimizer, changed(broken, cleaned), steps=700, loss_fn=nn.functional.mse_loss)


def two_units_for_sets(bench: Bench) -> None:
    """Five shapes through two units."""
    model, data = OfPoints(width=2, activation=nn.GELU), shapes()
    evaluate = validation(model, data, nn.functional.cross_entropy)
    batches = data.batches(seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=1e-2), batches, steps=2000, validate=evaluate, validate_every=25)


def shards_by_turns_for_a_mixer(bench: Bench) -> None:
    """What one shard teaches the next one spoils."""
    model = Mixer()
    batches = by_turns(digits().batches(32, seed=bench.seed))
    bench.fit(model, SGD(model.parameters(), lr=0.05, momentum=0.9), batches, steps=700)


CASES = [
    sick("labels_shuffled", "sets", "set", shuffled_labels_of_sets, follows=("loss_not_decreasing", "class_collapse")),
    sick("labels_shuffled", "patches", "mixer", shuffled_labels_of_patches,
         follows=("loss_not_decreasing", "class_collapse")),
    sick("data_not_shuffled", "mixer", "mixer", sorted_for_a_mixer, follows=("loss_spike", *SLOW)),
    sick("data_not_shuffled", "shapes", "set", sorted_shapes, follows=("loss_spike", *SLOW)),
    sick("inputs_not_normalised", "places-on-a-map", "set", places_on_a_map, follows=("initial_loss_off", *SLOW)),
    sick("same_batch", "first-again-in-a-mixer", "mixer", first_batch_again_in_a_mixer,
         follows=("updates_too_small", "overfitting")),
    sick("softmax_twice", "of-a-mixer", "mixer", softmax_of_a_mixer),
    sick("softmax_twice", "of-sets", "set", softmax_of_sets),
    sick("shape_broadcast", "of-sets", "set", column_and_row_of_sets, follows=("loss_not_decreasing",)),
    sick("targets_not_normalised", "of-sets", "set", raw_targets_of_sets, follows=SLOW),
    sick("loss_not_decreasing", "noise-for-sets", "set", noise_for_sets),
    sick("class_collapse", "smoothed-away", "graph", smoothed_away, follows=SMOOTH),
    sick("overfitting", "few-sentences", "gated", few_sentences, follows=ROUGH, onset=60),
    sick("overfitting", "wrong-labels-of-patches", "mixer", wrong_labels_of_patches, follows=ROUGH, onset=120),
    sick("non_finite_values", "set-of-one-place", "set", a_set_of_one_place, onset=JUMPS_AT),
    sick("loss_plateau", "foreign-past", "temporal", foreign_past, follows=RESTS, onset=150),
    sick("embedding_rows_unused", "gated", "gated", unknown_to_a_gated_net, follows=UNKNOWN),
    sick("loss_unsuited", "signs-for-shapes", "set", signs_for_shapes, follows=UNBOUNDED),
    sick("labels_constant", "one-kind-of-graph", "graph", one_kind_of_graph, follows=("updates_too_small",)),
    sick("validation_degenerate", "old-copy-over-time", "temporal", old_copy_of_convolutions_over_time, onset=19),
    sick("validation_in_training_mode", "of-depthwise", "depthwise", forgot_eval_of_depthwise, onset=19),
    sick("training_in_evaluation_mode", "of-a-mixer", "mixer", forgot_train_of_a_mixer, onset=40),
    sick("batch_too_small", "depthwise", "depthwise", pairs_for_depthwise, follows=NOISY),
    sick("exploding_gradients", "another-unit-of-points", "set", another_unit_of_points, follows=(*LOST, *DEAD),
         onset=JUMPS_AT),
    sick("loss_spike", "overexposed-batch", "unet", one_overexposed_batch, follows=("updates_too_large",),
         onset=JUMPS_AT),
    sick("underfitting", "two-units-for-sets", "set", two_units_for_sets, follows=("loss_plateau",)),
    sick("loss_oscillating", "shards-for-a-mixer", "mixer", shards_by_turns_for_a_mixer, follows=SWINGS),
]  # fmt: skip
