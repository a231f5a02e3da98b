"""Trainings of several processes."""

from __future__ import annotations

import io
import time
from functools import partial

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from torch.optim import SGD, Adam, AdamW

from clinic.bench import Batches, Bench
from clinic.case import healthy, sick
from clinic.cases.paces import HANGS_AT, HANGS_SECONDS, augmented
from clinic.cases.task import changed
from clinic.material import digits, text, token_loss
from clinic.networks import GPT, RNN, cnn, mlp, residual_net


def shared(bench: Bench, model: nn.Module, batches: Batches, *, steps: int = 300, rate: float = 1e-3) -> None:
    """Each rank with batches of its own, gradients averaged."""
    wrapped = DistributedDataParallel(model)
    bench.fit(wrapped, Adam(wrapped.parameters(), lr=rate), batches, steps=steps)


def inner_module_called(bench: Bench) -> None:
    """The wrapper is there, and the model within is called, past what averages gradients."""
    wrapped = DistributedDataParallel(mlp())
    batches = digits().batches(32, seed=bench.own_seed)
    bench.fit(wrapped.module, Adam(wrapped.parameters(), lr=1e-3), batches, steps=300)


def never_wrapped(bench: Bench) -> None:
    """Started as several processes, and written for one."""
    model = cnn()
    bench.fit(model, SGD(model.parameters(), lr=0.05), digits().batches(32, seed=bench.own_seed), steps=200)


def augmented_on_one_rank(bench: Bench) -> None:
    """One rank's pictures are moved in a Python loop: its cache of moved ones is missing."""
    batches = digits().batches(32, seed=bench.own_seed)
    shared(bench, mlp(), changed(batches, partial(augmented, times=3)) if bench.rank == 1 else batches)


def larger_batches_on_one_rank(bench: Bench) -> None:
    """What is left over of the data goes to the last rank, whose batches are eight times as large."""
    size = 128 if bench.rank == 1 else 16
    shared(bench, cnn(), digits().batches(size, seed=bench.own_seed), steps=200)


def labels_of_one_rank_shifted(bench: Bench) -> None:
    """One rank reads labels that belong to the example before."""
    batches = digits().batches(32, seed=bench.own_seed)
    shared(bench, mlp(), changed(batches, lambda x, y: (x, y.roll(1))) if bench.rank == 2 else batches)


def inputs_of_one_rank_inverted(bench: Bench) -> None:
    """One rank forgets to invert its pictures, as the others do."""
    batches = digits().batches(32, seed=bench.own_seed)
    shared(bench, cnn(), batches if bench.rank == 1 else changed(batches, lambda x, y: (1 - x, y)), steps=250)


def disk_of_one_rank_away(bench: Bench) -> None:
    """The disk that one rank reads from does not answer for minutes, and the other waits in its backward pass."""
    model = DistributedDataParallel(RNN())

    def read(step: int) -> None:
        if step == HANGS_AT and bench.rank == 1:
            time.sleep(HANGS_SECONDS)

    batches = text().batches(16, seed=bench.own_seed)
    optimizer = Adam(model.parameters(), lr=2e-3)
    bench.fit(model, optimizer, batches, steps=HANGS_AT + 50, loss_fn=token_loss, after_step=read)


def averaged(bench: Bench) -> None:
    """As it should be: small batches of its own on each of three ranks, whose losses go up and down."""
    shared(bench, mlp(), digits().batches(8, seed=bench.own_seed), steps=400)


def sharded(bench: Bench) -> None:
    """A model in shards, of which each rank holds one."""
    model = residual_net()
    for layer in model:
        fully_shard(layer)
    fully_shard(model)
    bench.fit(model, AdamW(model.parameters(), lr=1e-3), digits().batches(32, seed=bench.own_seed), steps=200)


def saves_on_rank_0(bench: Bench) -> None:
    """Rank 0 evaluates and saves at every fiftieth step, while the other waits for it."""
    model = DistributedDataParallel(GPT())
    held = text().validation()

    def validate() -> dict[str, float]:
        if bench.rank:
            return {}
        torch.save(model.state_dict(), io.BytesIO())
        with torch.no_grad():
            return {"val_loss": float(token_loss(model.module(held[0]), held[1]))}

    batches = text().batches(16, seed=bench.own_seed)
    optimizer = AdamW(model.parameters(), lr=2e-3)
    bench.fit(model, optimizer, batches, steps=200, loss_fn=token_loss, validate=validate)


def lengths_that_vary(bench: Bench) -> None:
    """Sequences of other lengths on each rank and in each step: now one waits, now the other."""
    model = DistributedDataParallel(RNN())
    lengths = torch.Generator().manual_seed(bench.own_seed)

    def shorter(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        length = int(torch.randint(8, 33, (), generator=lengths))
        return inputs[:, :length], targets[:, :length]

    batches = changed(text().batches(16, seed=bench.own_seed), shorter)
    bench.fit(model, Adam(model.parameters(), lr=2e-3), batches, steps=250, loss_fn=token_loss)


CASES = [
    sick("gradients_not_shared", "inner-module-called", "mlp", inner_module_called, ranks=2),
    sick("gradients_not_shared", "never-wrapped", "convolutional", never_wrapped, ranks=2),
    sick("slow_rank", "augmented-on-one-rank", "mlp", augmented_on_one_rank, ranks=2),
    sick("slow_rank", "larger-batches-on-one-rank", "convolutional", larger_batches_on_one_rank, ranks=2),
    sick("rank_outlier", "labels-of-one-rank-shifted", "mlp", labels_of_one_rank_shifted, ranks=3),
    sick("rank_outlier", "inputs-of-one-rank-inverted", "convolutional", inputs_of_one_rank_inverted, ranks=3),
    sick("run_stalled", "disk-of-one-rank-away", "recurrent", disk_of_one_rank_away, onset=HANGS_AT, ranks=2),
    healthy("averaged", "mlp", averaged, ranks=3),
    healthy("sharded", "residual", sharded, ranks=2),
    healthy("saves-on-rank-0", "attention", saves_on_rank_0, ranks=2),
    healthy("lengths-that-vary", "recurrent", lengths_that_vary, ranks=2),
]
