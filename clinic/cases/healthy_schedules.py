"""Healthy trainings whose learning rates, clipping or accumulation look ill to naive rules."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    LambdaLR,
    OneCycleLR,
    StepLR,
)

from clinic.bench import Bench
from clinic.case import healthy
from clinic.material import digits, text, token_loss
from clinic.networks import GPT, RNN, cnn, mlp, residual_net


def warm_up(bench: Bench) -> None:
    """A small GPT whose learning rate rises for a quarter of the run: tiny updates first."""
    model = GPT()
    optimizer = AdamW(model.parameters(), lr=3e-3)
    schedule = LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 100))
    bench.fit(model, optimizer, text().batches(32, seed=bench.seed), steps=400, loss_fn=token_loss, schedule=schedule)


def warm_up_from_zero(bench: Bench) -> None:
    """The first step has a learning rate of zero."""
    model = residual_net()
    optimizer = AdamW(model.parameters(), lr=2e-3)
    schedule = LambdaLR(optimizer, lambda step: min(1.0, step / 150))
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=500, schedule=schedule)


def cosine_to_zero(bench: Bench) -> None:
    """Tiny updates last."""
    model = mlp()
    optimizer = Adam(model.parameters(), lr=2e-3)
    bench.fit(
        model, optimizer, digits().batches(seed=bench.seed), steps=800, schedule=CosineAnnealingLR(optimizer, 800)
    )


def restarts(bench: Bench) -> None:
    """Cosine with restarts: the loss rises a little at each."""
    model = mlp((64, 96, 96, 10))
    optimizer = SGD(model.parameters(), lr=0.3, momentum=0.9)
    schedule = CosineAnnealingWarmRestarts(optimizer, 150)
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=700, schedule=schedule)


def cyclical(bench: Bench) -> None:
    """A rate that rises and falls in triangles, from next to nothing, on purpose (Smith, 2017)."""
    model = mlp((64, 96, 10))
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = CyclicLR(optimizer, base_lr=1e-3, max_lr=0.1, step_size_up=80)
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=700, schedule=schedule)


def warmed_up_twice(bench: Bench) -> None:
    """Two cosines, each after a warm-up of its own."""
    model = residual_net(depth=2)
    optimizer = AdamW(model.parameters(), lr=2e-3)

    def share(step: int) -> float:
        at = step % 350
        return (at + 1) / 60 if at < 60 else 0.5 * (1 + math.cos(math.pi * (at - 60) / 290))

    schedule = LambdaLR(optimizer, share)
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=700, schedule=schedule)


def one_cycle(bench: Bench) -> None:
    """Up to a large learning rate and down to nothing."""
    model = cnn()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = OneCycleLR(optimizer, max_lr=0.2, total_steps=500)
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=500, schedule=schedule)


def step_decay(bench: Bench) -> None:
    """Divided by ten, twice."""
    model = mlp((64, 64, 10), activation=nn.Tanh)
    optimizer = SGD(model.parameters(), lr=0.2, momentum=0.9)
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=700, schedule=StepLR(optimizer, 250, 0.1))


def accumulation(bench: Bench) -> None:
    """Four small batches a step, scaled as they should be: gradients grow between steps on purpose."""
    model = mlp()
    bench.fit(model, Adam(model.parameters(), lr=1e-3), digits().batches(16, seed=bench.seed), steps=400, accumulate=4)


def accumulation_in_a_recurrent_net(bench: Bench) -> None:
    """The same with a GRU that reads text."""
    model = RNN(nn.GRU)
    optimizer = Adam(model.parameters(), lr=3e-3)
    batches = text().batches(16, seed=bench.seed)
    bench.fit(model, optimizer, batches, steps=250, accumulate=2, loss_fn=token_loss, clip=1.0)


def clipped_almost_always(bench: Bench) -> None:
    """SGD at a high rate that clipping holds: common in practice, and well."""
    model = mlp((64, 128, 10))
    bench.fit(model, SGD(model.parameters(), lr=0.5), digits().batches(seed=bench.seed), steps=600, clip=0.5)


def slow_but_sure(bench: Bench) -> None:
    """Adam at a tenth of its usual rate: slow, and it learns."""
    model = mlp()
    bench.fit(model, Adam(model.parameters(), lr=1e-4), digits().batches(seed=bench.seed), steps=1000)


def fast_but_sure(bench: Bench) -> None:
    """Adam at ten times its usual rate, which this net bears."""
    model = mlp((64, 64, 10))
    bench.fit(model, Adam(model.parameters(), lr=1e-2), digits().batches(seed=bench.seed), steps=600)


def small_batches(bench: Bench) -> None:
    """Batches of four: losses jump by factors."""
    model = mlp((64, 64, 10))
    bench.fit(model, SGD(model.parameters(), lr=0.02, momentum=0.9), digits().batches(4, seed=bench.seed), steps=1200)


def two_groups(bench: Bench) -> None:
    """A head that learns ten times faster than what lies before it."""
    model = mlp((64, 64, 64, 10))
    optimizer = AdamW([{"params": model[:-1].parameters(), "lr": 3e-4}, {"params": model[-1].parameters(), "lr": 3e-3}])
    bench.fit(model, optimizer, digits().batches(seed=bench.seed), steps=500)


def loss_scale_that_searches(bench: Bench) -> None:
    """The scale of a GradScaler begins too high, and the first steps are skipped. Played by hand, as the CPU has no
    half precision worth the name: the scaler finds infinite gradients in the first steps."""
    model = mlp()
    optimizer = Adam(model.parameters(), lr=1e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    batches = digits().batches(seed=bench.seed)
    bench.run.watch(model, optimizer)
    for step in range(500):
        inputs, targets = next(batches)
        loss = nn.functional.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        _overflow(optimizer, when=step < 3)
        scaler.step(optimizer)
        scaler.update()
        bench.run.log({"loss": loss})


def _overflow(optimizer: Optimizer, *, when: bool) -> None:
    first: Any = optimizer.param_groups[0]["params"][0]
    if when:
        first.grad[0, 0] = float("inf")


CASES = [
    healthy("warm-up", "transformer", warm_up),
    healthy("warm-up-from-zero", "residual", warm_up_from_zero),
    healthy("cosine-to-zero", "mlp", cosine_to_zero),
    healthy("restarts", "mlp", restarts),
    healthy("cyclical", "mlp", cyclical),
    healthy("warmed-up-twice", "residual", warmed_up_twice),
    healthy("one-cycle", "convolutional", one_cycle),
    healthy("step-decay", "mlp", step_decay),
    healthy("accumulation", "mlp", accumulation),
    healthy("accumulation-in-a-recurrent-net", "recurrent", accumulation_in_a_recurrent_net),
    healthy("clipped-almost-always", "mlp", clipped_almost_always),
    healthy("slow-but-sure", "mlp", slow_but_sure),
    healthy("fast-but-sure", "mlp", fast_but_sure),
    healthy("small-batches", "mlp", small_batches),
    healthy("two-groups", "mlp", two_groups),
    healthy("loss-scale-that-searches", "mlp", loss_scale_that_searches),
]
