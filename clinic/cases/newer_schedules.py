"""Healthy trainings of networks that no rule was tuned by: optimizers and schedules as people use them."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.optim import SGD, Adafactor, Adam, AdamW, Muon, NAdam, RMSprop
from torch.optim.lr_scheduler import (
    ExponentialLR,
    LambdaLR,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
)
from torch.optim.swa_utils import SWALR, AveragedModel

from clinic.bench import Bench
from clinic.case import healthy
from clinic.cases.generalisation import validation
from clinic.cases.newer_steps import among_the_batch
from clinic.cases.task import changed
from clinic.made_material import graphs, shapes, spreads, waves
from clinic.material import digits, text, token_loss
from clinic.newer_networks import Gated, Mixer, OfGraphs, OfPoints, TwoTowers, depthwise, temporal


class EveryEpoch:
    """A schedule of epochs, stepped after each batch."""

    def __init__(self, schedule: ExponentialLR, *, batches: int) -> None:
        self.schedule, self.batches, self.count = schedule, batches, 0

    def step(self) -> None:
        """A batch was learnt from."""
        self.count += 1
        if self.count % self.batches == 0:
            self.schedule.step()


def up_and_cosine(*, warm: int, steps: int, least: float = 0.1) -> Callable[[int], float]:
    """Up in a line, and down to a tenth by a cosine."""

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return least + (1 - least) * (1 + math.cos(math.pi * (step - warm) / (steps - warm))) / 2

    return factor


def as_a_llama(bench: Bench) -> None:
    """AdamW with short memory, warm-up, a cosine to a tenth, decay of 0.1, clipping at 1."""
    model = Gated()
    optimizer = AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = LambdaLR(optimizer, up_and_cosine(warm=30, steps=300))
    batches = text().batches(16, seed=bench.seed)
    bench.fit(model, optimizer, batches, steps=300, schedule=schedule, loss_fn=token_loss, clip=1.0)


def smoothed_by_nadam(bench: Bench) -> None:
    """NAdam, and labels smoothed by a tenth."""
    model = Gated()

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), label_smoothing=0.1)

    batches = text().batches(16, seed=bench.seed)
    bench.fit(model, NAdam(model.parameters(), lr=2e-3), batches, steps=250, loss_fn=loss)


def muon_and_adam(bench: Bench) -> None:
    """Muon for the blocks' matrices, AdamW for all else."""
    model = Gated()
    matrices = [value for value in model.blocks.parameters() if value.dim() == 2]
    rest = [model.token.weight, model.head.weight, *(one for one in model.parameters() if one.dim() == 1)]
    optimizers = [Muon(matrices, lr=0.02, momentum=0.95), AdamW(rest, lr=3e-3)]
    bench.run.watch(model, optimizers)
    batches = text().batches(16, seed=bench.seed)
    for _ in range(250):
        inputs, targets = next(batches)
        loss = token_loss(model(inputs), targets)
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        bench.run.log({"loss": loss})


def adafactor(bench: Bench) -> None:
    """Adafactor at its own rate of 0.01, which it makes relative to the weights."""
    model = Gated()
    batches = text().batches(16, seed=bench.seed)
    bench.fit(model, Adafactor(model.parameters(), lr=0.01), batches, steps=300, loss_fn=token_loss)


def one_cycle_of_a_mixer(bench: Bench) -> None:
    """Up to 5e-3 and down to nothing."""
    model = Mixer()
    optimizer = AdamW(model.parameters(), lr=5e-3, weight_decay=0.05)
    schedule = OneCycleLR(optimizer, max_lr=5e-3, total_steps=500)
    bench.fit(model, optimizer, digits().batches(32, seed=bench.seed), steps=500, schedule=schedule)


def averaged_in_the_end(bench: Bench) -> None:
    """Stochastic weight averaging: from step 300 on the rate is held, and the weights are averaged."""
    model = Mixer()
    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9)
    mean, held = AveragedModel(model), SWALR(optimizer, swa_lr=0.03, anneal_epochs=20)

    def average(step: int) -> None:
        if step >= 300:
            held.step()
            mean.update_parameters(model)

    bench.fit(model, optimizer, digits().batches(32, seed=bench.seed), steps=500, after_step=average)


def as_a_mobile_net(bench: Bench) -> None:
    """RMSprop with momentum and an ε of 0.001, times 0.94 in each epoch, batch norm."""
    model, data = depthwise(batch_norm=True), digits()
    optimizer = RMSprop(model.parameters(), lr=2e-3, alpha=0.9, momentum=0.9, eps=1e-3, weight_decay=1e-5)
    schedule = EveryEpoch(ExponentialLR(optimizer, 0.94), batches=45)
    bench.fit(
        model, optimizer, data.batches(32, seed=bench.seed), steps=500, schedule=schedule,
        validate=validation(model, data, nn.functional.cross_entropy), validate_every=45,
    )  # fmt: skip


def normed_weights(bench: Bench) -> None:
    """Weight norm on all convolutions over time, the rate divided by five twice."""
    model = temporal()
    for part in model.blocks.modules():
        if isinstance(part, nn.Conv1d):
            weight_norm(part)
    optimizer = AdamW(model.parameters(), lr=3e-3)
    batches = text().batches(16, seed=bench.seed)
    bench.fit(model, optimizer, batches, steps=450, schedule=StepLR(optimizer, 180, 0.2), loss_fn=token_loss)


def until_it_rests(bench: Bench) -> None:
    """Waves told a step ahead; the rate is halved whenever the validation loss rests."""
    model, data = temporal(stem=nn.Linear(1, 48), outputs=1), waves()
    optimizer = Adam(model.parameters(), lr=3e-3)
    halved = ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
    evaluate = validation(model, data, nn.functional.huber_loss)

    def validate() -> dict[str, float]:
        found = evaluate()
        halved.step(found["val_loss"])
        return found

    bench.fit(
        model, optimizer, data.batches(32, seed=bench.seed), steps=600, loss_fn=nn.functional.huber_loss,
        validate=validate, validate_every=20,
    )  # fmt: skip


def turned(points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Sets turned by an angle of their own each time, and some noise on them."""
    angle = torch.rand(len(points)) * 2 * torch.pi
    turns = torch.stack([angle.cos(), angle.sin(), -angle.sin(), angle.cos()], -1).view(-1, 2, 2)
    return points @ turns + 0.02 * torch.randn_like(points), labels


def turned_sets(bench: Bench) -> None:
    """Shapes that are turned anew each time, Adam, the rate divided by ten late."""
    model = OfPoints()
    optimizer = Adam(model.parameters(), lr=2e-3)
    batches = changed(shapes().batches(32, seed=bench.seed), turned)
    bench.fit(model, optimizer, batches, steps=700, schedule=StepLR(optimizer, 500, 0.1))


def spread_of_sets(bench: Bench) -> None:
    """How widely numbers are spread, by NAdam and a smooth L1 loss."""
    model = OfPoints(size=1, outputs=1, largest=False)
    batches = spreads().batches(32, seed=bench.seed)
    bench.fit(model, NAdam(model.parameters(), lr=2e-3), batches, steps=500, loss_fn=nn.SmoothL1Loss())


def kinds_of_graphs(bench: Bench) -> None:
    """Whole graphs, RMSprop as PyTorch has it, at a tenth of its rate."""
    model = OfGraphs()
    bench.fit(model, RMSprop(model.parameters(), lr=1e-3), graphs().batches(32, seed=bench.seed), steps=500)


def long_warm_up_of_towers(bench: Bench) -> None:
    """Two towers, a warm-up for two fifths of the run, and down in a line."""
    model = TwoTowers()
    optimizer = AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
    schedule = LambdaLR(optimizer, lambda step: min((step + 1) / 240, (600 - step) / 360))
    batches = digits().batches(seed=bench.seed)
    bench.fit(model, optimizer, batches, steps=600, schedule=schedule, loss_fn=among_the_batch)


CASES = [
    healthy("as-a-llama", "gated", as_a_llama),
    healthy("smoothed-by-nadam", "gated", smoothed_by_nadam),
    healthy("muon-and-adam", "gated", muon_and_adam),
    healthy("adafactor", "gated", adafactor),
    healthy("one-cycle-of-a-mixer", "mixer", one_cycle_of_a_mixer),
    healthy("averaged-in-the-end", "mixer", averaged_in_the_end),
    healthy("as-a-mobile-net", "depthwise", as_a_mobile_net),
    healthy("normed-weights", "temporal", normed_weights),
    healthy("until-it-rests", "temporal", until_it_rests),
    healthy("turned-sets", "set", turned_sets),
    healthy("spread-of-sets", "set", spread_of_sets),
    healthy("kinds-of-graphs", "graph", kinds_of_graphs),
    healthy("long-warm-up-of-towers", "two-tower", long_warm_up_of_towers),
]
