"""Ills of steps, rates and what restrains them, in networks that no rule was tuned by."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR, LinearLR, StepLR

from clinic.bench import Batches, Bench
from clinic.case import sick
from clinic.cases.courses import WAITS
from clinic.cases.explosions import DEAD, LOST, STEPS, TOO_LONG_AT, slip
from clinic.cases.explosions import JUMPS_AT as SLIPS_AT
from clinic.cases.generalisation import SHRUNK, parts
from clinic.cases.inputs import unseen_loss
from clinic.cases.inside import STUCK, Keeping, KeepingAdam, undivided
from clinic.cases.inside import WILD as UNCLEARED
from clinic.cases.schedules import CRAWLS, STOPPED, WILD
from clinic.cases.second_moments import JUMPED_AT, SLOW, THROWN, jumping
from clinic.cases.task import changed
from clinic.cases.updates import LONG, SHORT
from clinic.cases.uses import Experts, of_experts
from clinic.made_material import shapes
from clinic.material import digits, text, token_loss
from clinic.newer_networks import DepthwiseBlock, Gated, Mixer, OfPoints, TwoTowers, UNet, depthwise, temporal, wavenet

RESUMED_AT = 250


def noisy_pictures(batches: Batches) -> Batches:
    """Pictures with noise, [n, 1, 8, 8], and as they were."""

    def noisy(inputs: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        pictures = inputs.view(-1, 1, 8, 8)
        return pictures + 0.3 * torch.randn_like(pictures), pictures

    return changed(batches, noisy)


def among_the_batch(alike: Tensor, _: Tensor) -> Tensor:
    """Every upper half is to find its lower one, and the other way round."""
    places = torch.arange(len(alike))
    return (nn.functional.cross_entropy(alike, places) + nn.functional.cross_entropy(alike.T, places)) / 2


def peak_too_high_for_a_mixer(bench: Bench) -> None:
    """A warm-up over 300 steps that ends at 1."""
    model = Mixer()
    optimizer = AdamW(model.parameters(), lr=1.0)
    schedule = LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 300))
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=600, schedule=schedule)


def resumed_at_another_rate(bench: Bench) -> None:
    """A rate that is raised two hundredfold at step 250, as a resumed script did."""
    model = temporal()
    optimizer = AdamW(model.parameters(), lr=1e-3)
    schedule = LambdaLR(optimizer, lambda step: 1.0 if step < RESUMED_AT else 200.0)
    batches = text().batches(16, seed=bench.seed)
    bench.fit(model, optimizer, batches, steps=600, schedule=schedule, loss_fn=token_loss)


def crawling_mixer(bench: Bench) -> None:
    """AdamW with 3e-6."""
    model = Mixer()
    bench.fit(model, AdamW(model.parameters(), lr=3e-6), digits().batches(seed=bench.seed), steps=1200)


def crawling_sets(bench: Bench) -> None:
    """SGD with 5e-4, and no momentum."""
    model = OfPoints()
    bench.fit(model, SGD(model.parameters(), lr=5e-4), shapes().batches(seed=bench.seed), steps=1500)


def too_long_in_a_gated_net(bench: Bench) -> None:
    """AdamW with a learning rate of 3."""
    model = Gated(width=32)
    optimizer = AdamW(model.parameters(), lr=3.0)
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=300, loss_fn=token_loss)


def too_long_in_a_unet(bench: Bench) -> None:
    """Adam with a learning rate of 1."""
    model = UNet()
    batches = noisy_pictures(digits().batches(32, seed=bench.seed))
    bench.fit(model, Adam(model.parameters(), lr=1.0), batches, steps=400, loss_fn=nn.functional.mse_loss)


def too_short_over_time(bench: Bench) -> None:
    """Adam with 1e-8."""
    model = temporal()
    optimizer = Adam(model.parameters(), lr=1e-8)
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=500, loss_fn=token_loss)


def divided_by_all_pixels(bench: Bench) -> None:
    """A mean that is divided by the number of pixels of all pictures once more, under SGD."""
    model = UNet()

    def small(found: Tensor, wanted: Tensor) -> Tensor:
        return nn.functional.mse_loss(found, wanted) / 100_000

    batches = noisy_pictures(digits().batches(32, seed=bench.seed))
    bench.fit(model, SGD(model.parameters(), lr=0.1), batches, steps=600, loss_fn=small)


def epochs_for_batches_of_a_gated_net(bench: Bench) -> None:
    """A decay meant for epochs, made after each batch."""
    model = Gated()
    optimizer = AdamW(model.parameters(), lr=1e-3)
    schedule = ExponentialLR(optimizer, 0.95)
    batches = text().batches(16, seed=bench.seed)
    bench.fit(model, optimizer, batches, steps=500, schedule=schedule, loss_fn=token_loss)


def thirty_batches_for_thirty_epochs(bench: Bench) -> None:
    """Divided by ten every thirty batches, where epochs were meant."""
    model = depthwise()
    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule = StepLR(optimizer, 30, 0.1)
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=700, schedule=schedule)


def stays_at_a_thousandth_in_a_mixer(bench: Bench) -> None:
    """A warm-up from a thousandth of the rate, which is made and forgotten."""
    model = Mixer()
    optimizer = AdamW(model.parameters(), lr=1e-3)
    LinearLR(optimizer, start_factor=1e-3, total_iters=200)
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=800)


def cut_depthwise(bench: Bench) -> None:
    """Clipped to a norm of 0.001."""
    model = depthwise()
    bench.fit(model, SGD(model.parameters(), lr=0.1), digits().batches(seed=bench.seed), steps=500, clip=0.001)


def cut_over_time(bench: Bench) -> None:
    """A sum over tokens where a mean was meant, clipped to what suits a mean."""

    def total(logits: Tensor, targets: Tensor) -> Tensor:
        return token_loss(logits, targets) * targets.numel()

    model = wavenet()
    optimizer = SGD(model.parameters(), lr=0.02)
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=500, loss_fn=total, clip=0.1)


def sum_of_passes_of_a_mixer(bench: Bench) -> None:
    """Four passes of 16 rows in a step, whose losses are not divided."""
    model = Mixer()
    optimizer = SGD(model.parameters(), lr=0.01, momentum=0.9)
    batches = digits().batches(16, seed=bench.seed)
    bench.fit(model, optimizer, batches, steps=300, accumulate=4, loss_fn=undivided(4))


def never_cleared_in_a_gated_net(bench: Bench) -> None:
    """Without zero_grad, Adam."""
    model = Gated()
    optimizer = KeepingAdam(model.parameters(), lr=1e-3)
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=300, loss_fn=token_loss)


def never_cleared_of_sets(bench: Bench) -> None:
    """Without zero_grad, SGD with momentum."""
    model = OfPoints()
    optimizer = Keeping(model.parameters(), lr=0.005, momentum=0.9)
    bench.fit(model, optimizer, shapes().batches(seed=bench.seed), steps=500)


def decayed_over_time(bench: Bench) -> None:
    """Weight decay of 0.5 in the gradient: the weights go to zero."""
    model = temporal()
    optimizer = SGD(model.parameters(), lr=0.05, weight_decay=0.5)
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=600, loss_fn=token_loss)


def decayed_two_towers(bench: Bench) -> None:
    """AdamW with a decay of 50 where 0.05 was meant."""
    model = TwoTowers()
    optimizer = AdamW(model.parameters(), lr=1e-3, weight_decay=50.0)
    batches = digits().batches(seed=bench.seed)
    bench.fit(model, optimizer, batches, steps=600, loss_fn=among_the_batch)


def epsilon_of_one_in_a_gated_net(bench: Bench) -> None:
    """AdamW with an ε of 1."""
    model = Gated()
    optimizer = AdamW(model.parameters(), lr=1e-3, eps=1.0)
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=300, loss_fn=token_loss)


def growing(per_step: float) -> Callable[[int], float]:
    """What a rate that is meant to decay is multiplied by, when it grows."""
    return lambda step: per_step ** max(0, step - SLIPS_AT)


def growing_rate_of_sets(bench: Bench) -> None:
    """A learning rate that is meant to decay, and grows."""
    model = OfPoints(activation=nn.Tanh)
    optimizer = SGD(model.parameters(), lr=0.05)
    schedule = LambdaLR(optimizer, growing(1.02))
    bench.fit(model, optimizer, shapes().batches(32, seed=bench.seed), steps=STEPS, schedule=schedule)


def one_step_too_long_over_time(bench: Bench) -> None:
    """One step is made with a hundred times the learning rate."""
    model = temporal()
    optimizer = AdamW(model.parameters(), lr=1e-3)
    slip(bench, model, optimizer, text().batches(8, seed=bench.seed), times=100.0, loss_fn=token_loss)


def penalised_sets(bench: Bench) -> None:
    """An L1 penalty a hundred times too strong."""
    model = OfPoints()
    parts(bench, model, Adam(model.parameters(), lr=1e-3), shapes(), strength=0.1)


def kept_for_dropped_of_sets(bench: Bench) -> None:
    """p=0.9, where 90 % were to be kept, twice in the head."""
    head = [nn.ReLU(), nn.Dropout(0.9), nn.Linear(48, 32), nn.ReLU(), nn.Dropout(0.9), nn.Linear(32, 5)]
    model, data = nn.Sequential(OfPoints(outputs=48), *head), shapes()
    batches = data.batches(seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=500, validate=lambda: unseen_loss(model, data))


def reweighted_mixer(bench: Bench) -> None:
    """A loss that weighs a hundred times as much from one step to the next."""
    model = Mixer()
    optimizer = Adam(model.parameters(), lr=1e-2)
    batches = digits().batches(128, seed=bench.seed)
    bench.fit(model, optimizer, batches, steps=300, before_step=jumping(optimizer, at=JUMPED_AT), every=2)


def favourites_behind_depthwise(bench: Bench) -> None:
    """A router that begins with favourites, and nothing that spreads the load."""
    stem = nn.Sequential(
        *(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 12, 2, stride=2)),
        *(DepthwiseBlock(12, norm=nn.GroupNorm(1, 12), scale=1.0), nn.AdaptiveAvgPool2d(2), nn.Flatten()),
    )
    of_experts(bench, stem, Experts(loud=8.0))


CASES = [
    sick("learning_rate_too_high", "peak-for-a-mixer", "mixer", peak_too_high_for_a_mixer, follows=WILD, onset=100),
    sick("learning_rate_too_high", "resumed", "temporal", resumed_at_another_rate, follows=WILD, onset=RESUMED_AT),
    sick("learning_rate_too_low", "mixer", "mixer", crawling_mixer, follows=CRAWLS),
    sick("learning_rate_too_low", "sets", "set", crawling_sets, follows=CRAWLS),
    sick("updates_too_large", "gated", "gated", too_long_in_a_gated_net, follows=LONG),
    sick("updates_too_large", "unet", "unet", too_long_in_a_unet, follows=LONG),
    sick("updates_too_small", "over-time", "temporal", too_short_over_time, follows=SHORT),
    sick("updates_too_small", "divided-by-all-pixels", "unet", divided_by_all_pixels, follows=SHORT),
    sick("schedule_ended", "gated", "gated", epochs_for_batches_of_a_gated_net, follows=STOPPED, onset=135),
    sick("schedule_ended", "thirty-batches", "depthwise", thirty_batches_for_thirty_epochs, follows=STOPPED, onset=90),
    sick("schedule_not_started", "a-thousandth-in-a-mixer", "mixer", stays_at_a_thousandth_in_a_mixer, follows=WAITS),
    sick("clipping_always", "depthwise", "depthwise", cut_depthwise, follows=STUCK),
    sick("clipping_always", "sums-over-time", "temporal", cut_over_time, follows=STUCK),
    sick("accumulation_unscaled", "four-passes-of-a-mixer", "mixer", sum_of_passes_of_a_mixer),
    sick("gradients_not_zeroed", "gated", "gated", never_cleared_in_a_gated_net, follows=UNCLEARED),
    sick("gradients_not_zeroed", "sets", "set", never_cleared_of_sets, follows=UNCLEARED),
    sick("weight_decay_too_strong", "over-time", "temporal", decayed_over_time, follows=SHRUNK),
    sick("weight_decay_too_strong", "two-towers", "two-tower", decayed_two_towers, follows=SHRUNK),
    sick("epsilon_dominating", "gated", "gated", epsilon_of_one_in_a_gated_net, follows=SLOW),
    sick("loss_diverging", "growing-rate-of-sets", "set", growing_rate_of_sets, follows=(*DEAD, *LOST),
         onset=TOO_LONG_AT),
    sick("loss_spike", "one-long-step-over-time", "temporal", one_step_too_long_over_time,
         follows=("updates_too_large",), onset=SLIPS_AT),
    sick("regularisation_dominating", "l1-of-sets", "set", penalised_sets, follows=SHRUNK),
    sick("dropout_too_high", "kept-for-dropped-of-sets", "set", kept_for_dropped_of_sets,
         follows=("loss_not_decreasing", "class_collapse")),
    sick("adam_rms_high", "reweighted-mixer", "mixer", reweighted_mixer, follows=THROWN, onset=JUMPED_AT),
    sick("expert_imbalance", "behind-depthwise", "depthwise", favourites_behind_depthwise),
]  # fmt: skip
