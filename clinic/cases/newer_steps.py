"""Ills of steps, rates and what restrains them, in networks that no rule was tuned by."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import LambdaLR

from clinic.bench import Batches, Bench
from clinic.case import sick
from clinic.cases.schedules import CRAWLS, WILD
from clinic.cases.task import changed
from clinic.cases.updates import SHORT
from clinic.made_material import shapes
from clinic.material import digits, text, token_loss
from clinic.newer_networks import OfPoints, UNet, temporal

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


def resumed_at_another_rate(bench: Bench) -> None:
    """A rate that is raised two hundredfold at step 250, as a resumed script did."""
    model = temporal()
    optimizer = AdamW(model.parameters(), lr=1e-3)
    schedule = LambdaLR(optimizer, lambda step: 1.0 if step < RESUMED_AT else 200.0)
    batches = text().batches(16, seed=bench.seed)
    bench.fit(model, optimizer, batches, steps=600, schedule=schedule, loss_fn=token_loss)


def crawling_sets(bench: Bench) -> None:
    """SGD with 5e-4, and no momentum."""
    model = OfPoints()
    bench.fit(model, SGD(model.parameters(), lr=5e-4), shapes().batches(seed=bench.seed), steps=1500)


def divided_by_all_pixels(bench: Bench) -> None:
    """A mean that is divided by the number of pixels of all pictures once more, under SGD."""
    model = UNet()

    def small(found: Tensor, wanted: Tensor) -> Tensor:
        return nn.functional.mse_loss(found, wanted) / 100_000

    batches = noisy_pictures(digits().batches(32, seed=bench.seed))
    bench.fit(model, SGD(model.parameters(), lr=0.1), batches, steps=600, loss_fn=small)


CASES = [
    sick("learning_rate_too_high", "resumed", "temporal", resumed_at_another_rate, follows=WILD, onset=RESUMED_AT),
    sick("learning_rate_too_low", "sets", "set", crawling_sets, follows=CRAWLS),
    sick("updates_too_small", "divided-by-all-pixels", "unet", divided_by_all_pixels, follows=SHORT),
]  # fmt: skip
