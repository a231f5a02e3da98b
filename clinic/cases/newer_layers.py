"""Ills of first weights and of layers in networks that no rule was tuned by."""

from __future__ import annotations

from torch import nn
from torch.optim import SGD, Adam, AdamW

from clinic.bench import Bench
from clinic.case import sick
from clinic.cases.beginnings import LOST, every_weight
from clinic.cases.gradients import FOLLOWS
from clinic.cases.inside import LARGE, STUCK, WILD, drawn
from clinic.cases.newer_steps import among_the_batch, noisy_pictures
from clinic.cases.updates import KILLED
from clinic.made_material import shapes
from clinic.material import digits, text, token_loss
from clinic.newer_networks import Gated, Mixer, OfPoints, TwoTowers, UNet, depthwise, temporal, wavenet


def biases_far_below_zero_of_sets(bench: Bench) -> None:
    """Biases of hidden layers are drawn at -5."""
    model = OfPoints()
    for part in model.each:
        if isinstance(part, nn.Linear):
            nn.init.constant_(part.bias, -5.0)
    bench.fit(model, SGD(model.parameters(), lr=0.05), shapes().batches(seed=bench.seed), steps=500)


def biases_far_below_zero_over_time(bench: Bench) -> None:
    """Biases of convolutions over time are drawn at -8, behind which nothing ever comes but what went in."""
    model = temporal()
    for part in model.blocks.modules():
        if isinstance(part, nn.Conv1d) and part.bias is not None:
            nn.init.constant_(part.bias, -8.0)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), text().batches(16, seed=bench.seed), steps=400,
              loss_fn=token_loss)  # fmt: skip


def deep_sigmoid_over_time(bench: Bench) -> None:
    """Ten convolutions over time with sigmoids behind them, and no residual."""
    model = temporal(depth=10, activation=nn.Sigmoid, residual=False)
    bench.fit(model, SGD(model.parameters(), lr=0.1), text().batches(16, seed=bench.seed), steps=400,
              loss_fn=token_loss)  # fmt: skip


def deep_sigmoid_of_sets(bench: Bench) -> None:
    """Eight layers of sigmoids for each point."""
    model = OfPoints(depth=8, activation=nn.Sigmoid)
    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9)
    bench.fit(model, optimizer, shapes().batches(32, seed=bench.seed), steps=500)


def standard_normal_for_sets(bench: Bench) -> None:
    """normal_(0, 1), as in many a first tutorial."""
    model = every_weight(OfPoints(), nn.init.normal_)
    bench.fit(model, SGD(model.parameters(), lr=1e-3), shapes().batches(seed=bench.seed), steps=300)


def zeros_over_time(bench: Bench) -> None:
    """All weights zero, those of the embedding, too."""
    model = every_weight(temporal(residual=False), nn.init.zeros_)
    bench.fit(model, SGD(model.parameters(), lr=0.1), text().batches(16, seed=bench.seed), steps=300,
              loss_fn=token_loss)  # fmt: skip


def loud_over_time(bench: Bench) -> None:
    """Eight convolutions over time whose weights were drawn with a standard deviation of 0.5."""
    model = drawn(temporal(depth=8, residual=False), 0.5)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), text().batches(16, seed=bench.seed), steps=400,
              loss_fn=token_loss)  # fmt: skip


def faint_sets(bench: Bench) -> None:
    """Eight layers for each point, drawn with 0.02."""
    model = drawn(OfPoints(depth=8), 0.02)
    bench.fit(model, SGD(model.parameters(), lr=0.1), shapes().batches(seed=bench.seed), steps=500)


def wide_gates(bench: Bench) -> None:
    """A WaveNet, whose tanh and sigmoids are given weights of a standard deviation of 1."""
    model = drawn(wavenet(), 1.0)
    bench.fit(model, SGD(model.parameters(), lr=0.001), text().batches(16, seed=bench.seed), steps=400,
              loss_fn=token_loss)  # fmt: skip


def wide_sets(bench: Bench) -> None:
    """Tanh for each point, and weights drawn with 1."""
    model = drawn(OfPoints(activation=nn.Tanh), 1.0)
    bench.fit(model, SGD(model.parameters(), lr=0.001), shapes().batches(seed=bench.seed), steps=500)


def cut_between_down_and_up(bench: Bench) -> None:
    """A ``detach`` left from a trial between the way down and the way up."""
    model = UNet(cut=True)
    batches = noisy_pictures(digits().batches(32, seed=bench.seed))
    bench.fit(model, AdamW(model.parameters(), lr=1e-3), batches, steps=400, loss_fn=nn.functional.mse_loss)


def one_tower_forgotten(bench: Bench) -> None:
    """The optimizer was given one tower of two."""
    model = TwoTowers()
    trained = [*model.upper.parameters(), model.logit_scale]
    bench.fit(model, AdamW(trained, lr=1e-3), digits().batches(seed=bench.seed), steps=400, loss_fn=among_the_batch)


def names_of_a_wrapper(bench: Bench) -> None:
    """A frozen backbone whose weights were saved under the names of a wrapper, and a head on top."""
    model = depthwise()
    saved = {f"_orig_mod.{name}": value for name, value in depthwise().state_dict().items()}
    model.load_state_dict(saved, strict=False)
    model.requires_grad_(False)
    head = model[-1].requires_grad_(True)
    bench.fit(model, Adam(head.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=400)


def frozen_before_loading(bench: Bench) -> None:
    """Blocks of a language model that were frozen, and a checkpoint that was never loaded: only the head learns."""
    model = Gated()
    model.requires_grad_(False)
    model.head.requires_grad_(True)
    bench.fit(model, AdamW(model.head.parameters(), lr=2e-3), text().batches(16, seed=bench.seed), steps=400,
              loss_fn=token_loss)  # fmt: skip


def large_head_of_a_mixer(bench: Bench) -> None:
    """A head whose first weights are twenty times too large."""
    model = Mixer()
    nn.init.normal_(model.head.weight, std=2.0)
    bench.fit(model, AdamW(model.parameters(), lr=3e-4), digits().batches(seed=bench.seed), steps=300)


def constant_weights_of_sets(bench: Bench) -> None:
    """All weights 0.1."""
    model = every_weight(OfPoints(), lambda weight: nn.init.constant_(weight, 0.1))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), shapes().batches(seed=bench.seed), steps=300)


CASES = [
    sick("dead_activations", "biases-of-sets", "set", biases_far_below_zero_of_sets, follows=KILLED),
    sick("dead_activations", "biases-over-time", "temporal", biases_far_below_zero_over_time, follows=KILLED),
    sick("vanishing_gradients", "deep-sigmoid-over-time", "temporal", deep_sigmoid_over_time, follows=FOLLOWS),
    sick("vanishing_gradients", "deep-sigmoid-of-sets", "set", deep_sigmoid_of_sets, follows=FOLLOWS),
    sick("poor_initialisation", "standard-normal-for-sets", "set", standard_normal_for_sets,
         follows=("initial_loss_off", *LOST)),
    sick("poor_initialisation", "zeros-over-time", "temporal", zeros_over_time, follows=LOST),
    sick("activations_growing", "over-time", "temporal", loud_over_time, follows=(*WILD, *LARGE)),
    sick("activations_shrinking", "sets", "set", faint_sets, follows=STUCK),
    sick("saturated_activations", "wide-gates", "temporal", wide_gates, follows=(*STUCK, *LARGE)),
    sick("saturated_activations", "wide-sets", "set", wide_sets, follows=(*STUCK, *LARGE)),
    sick("layer_not_learning", "cut-unet", "unet", cut_between_down_and_up),
    sick("layer_not_learning", "one-tower-forgotten", "two-tower", one_tower_forgotten),
    sick("frozen_untrained", "names-of-a-wrapper", "depthwise", names_of_a_wrapper),
    sick("frozen_untrained", "gated", "gated", frozen_before_loading),
    sick("initial_loss_off", "large-head-of-a-mixer", "mixer", large_head_of_a_mixer),
    sick("symmetric_units", "constant-weights-of-sets", "set", constant_weights_of_sets,
         follows=("poor_initialisation", "initial_loss_off", *LOST)),
]  # fmt: skip
