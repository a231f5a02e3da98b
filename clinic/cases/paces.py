"""Trainings that wait, slow down, or fill their memory."""

from __future__ import annotations

import itertools
import math
import queue
import threading
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam

from clinic.bench import Batches, Bench, Loss
from clinic.case import healthy, sick
from clinic.cases.task import changed
from clinic.material import digits, text, token_loss
from clinic.networks import RNN, autoencoder, cnn, mlp
from trainvitals.system import SystemMeter

LOOKS_SECONDS = 0.01  # the meter of a training that lasts for hours looks every five seconds
COPIES = 75
KEPT_BYTES = 400 * 1024 * 1024
HANGS_AT = 100  # steps
HANGS_SECONDS = 345.0  # a hang is told from a long pause after five minutes


def shifted(picture: list[float], *, by: float) -> list[float]:
    """A picture of 8 × 8 moved to the right, pixel by pixel, as a Python loop does it."""
    whole, part = math.floor(by), by - math.floor(by)
    moved = []
    for row in range(8):
        for column in range(8):
            left, right = column - whole - 1, column - whole
            darker = picture[row * 8 + left] if 0 <= left < 8 else 0.0
            lighter = picture[row * 8 + right] if 0 <= right < 8 else 0.0
            moved.append(part * darker + (1 - part) * lighter)
    return moved


def augmented(inputs: Tensor, labels: Tensor, *, times: int) -> tuple[Tensor, Tensor]:
    """Pictures that are moved one by one, several times over."""
    pictures = inputs.tolist()
    for _ in range(times):
        pictures = [shifted(picture, by=float(torch.rand(()) - 0.5)) for picture in pictures]
    return torch.tensor(pictures), labels


def augmented_in_python(bench: Bench) -> None:
    """An augmentation in Python loops, in the training's own process."""
    model = mlp()
    batches = changed(digits().batches(seed=bench.seed), partial(augmented, times=2))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=500)


def augmented_before_convolutions(bench: Bench) -> None:
    """The same before convolutions."""
    model = cnn()
    batches = changed(digits().batches(16, seed=bench.seed), partial(augmented, times=16))
    bench.fit(model, SGD(model.parameters(), lr=0.05), batches, steps=300)


def evaluated_often(bench: Bench) -> None:
    """Every third step is followed by an evaluation that takes longer than the three."""
    model, data = cnn(), digits()
    inputs, labels = data.validation()

    def validate() -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            losses = [float(nn.functional.cross_entropy(model(inputs), labels)) for _ in range(3)]
        model.train()
        return {"val_loss": sum(losses) / len(losses)}

    batches = data.batches(16, seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=400, validate=validate, validate_every=3)


def hooks_in_the_loop(bench: Bench) -> None:
    """A hook that watches a layer is registered in every step, and none is ever removed."""
    model = mlp()
    seen: dict[str, Tensor] = {}

    def watch(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen["mean"] = output.detach().mean()

    def register(step: int) -> None:
        model[2].register_forward_hook(watch)

    batches = digits().batches(seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=1000, after_step=register)


def bank_without_end(bench: Bench) -> None:
    """A bank of earlier reconstructions, which new ones are to differ from, and none ever leaves."""
    model = autoencoder()
    bank: list[Tensor] = []

    def loss_fn(outputs: Tensor, targets: Tensor) -> Tensor:
        alike = (outputs @ torch.cat([outputs.detach(), *bank]).T).square().mean()
        bank.append(outputs.detach())
        return nn.functional.mse_loss(outputs, targets) + 1e-5 * alike

    batches = changed(digits().batches(seed=bench.seed), lambda x, y: (x, x))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=600, loss_fn=loss_fn)


def longer_sequences(bench: Bench) -> None:
    """A curriculum: eight bytes at a time at first, and then thirty-two."""
    model = RNN()

    def batches() -> Batches:
        for step, (inputs, targets) in enumerate(text().batches(16, seed=bench.seed)):
            length = 8 if step < 400 else 32
            yield inputs[:, :length], targets[:, :length]

    bench.fit(model, Adam(model.parameters(), lr=2e-3), batches(), steps=800, loss_fn=token_loss)


def with_meter(bench: Bench, then: Callable[[int], None]) -> Callable[[int], None]:
    """What is done after a step, and the memory looked at."""
    meter = SystemMeter(seconds=LOOKS_SECONDS)

    def after_step(step: int) -> None:
        then(step)
        found = meter.look()
        bench.run.log({name: found[name] for name in found if "memory" in name})

    return after_step


def copies_kept(bench: Bench, model: nn.Sequential, batches: Batches, loss_fn: Loss | None = None) -> None:
    """A hook on the first layer copies all pictures at every twentieth step, and keeps the copies: 34 MB each time."""
    kept: list[Tensor] = []
    passes = itertools.count()

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if next(passes) % 20 == 0:
            kept.append(digits().inputs.repeat(COPIES, 1))

    model[0].register_forward_hook(keep)
    optimizer = Adam(model.parameters(), lr=1e-3)
    bench.fit(
        model, optimizer, batches, steps=1000, loss_fn=loss_fn, after_step=with_meter(bench, lambda step: None)
    )  # fmt: skip
    kept.clear()  # for the next case's sake


def copies_kept_by_a_classifier(bench: Bench) -> None:
    """A list that nobody empties."""
    copies_kept(bench, mlp(), digits().batches(seed=bench.seed))


def copies_kept_by_an_autoencoder(bench: Bench) -> None:
    """The same of an autoencoder."""
    batches = changed(digits().batches(seed=bench.seed), lambda x, y: (x, x))
    copies_kept(bench, autoencoder(), batches, nn.functional.mse_loss)


def cache_that_fills(bench: Bench) -> None:
    """Prepared examples are kept as they are first read, until all have been."""
    model = mlp()
    cache: list[Tensor] = []

    def keep(step: int) -> None:
        if step < 300 and step % 30 == 0:
            cache.append(torch.full((KEPT_BYTES // 10 // 4,), float(step)))

    bench.fit(
        model, Adam(model.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=1000,
        after_step=with_meter(bench, keep),
    )  # fmt: skip


def much_at_times(bench: Bench) -> None:
    """A hundred megabytes are held for a while, and given back, again and again."""
    model = mlp()
    held: list[Tensor] = []

    def work(step: int) -> None:
        if step % 50 == 0:
            held.append(torch.ones(KEPT_BYTES // 16))
        elif step % 50 == 25:
            held.clear()

    bench.fit(
        model, Adam(model.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=600,
        after_step=with_meter(bench, work),
    )  # fmt: skip


def worker_that_hangs(bench: Bench) -> None:
    """A worker that prepares batches waits for a lock that nobody gives back, and the training for the worker."""
    model, data = mlp(), digits().batches(seed=bench.seed)
    ready: queue.Queue[tuple[Tensor, Tensor]] = queue.Queue(maxsize=4)
    lock = threading.Lock()

    def prepare() -> None:
        for _ in range(HANGS_AT):
            ready.put(next(data))
        lock.acquire()
        if lock.acquire(timeout=HANGS_SECONDS):
            raise AssertionError("nobody gives it back")
        for _ in range(50):
            ready.put(next(data))

    def batches() -> Batches:
        while True:
            yield ready.get()

    threading.Thread(target=prepare, daemon=True).start()
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches(), steps=HANGS_AT + 50)


CASES = [
    sick("run_stalled", "worker-that-hangs", "mlp", worker_that_hangs, onset=HANGS_AT),
    sick("data_loading_starves", "augmented-in-python", "mlp", augmented_in_python),
    sick("data_loading_starves", "before-convolutions", "convolutional", augmented_before_convolutions),
    sick("throughput_fallen", "hooks-in-the-loop", "mlp", hooks_in_the_loop, onset=100),
    sick("throughput_fallen", "bank-without-end", "autoencoder", bank_without_end, onset=100),
    sick("memory_leaking", "copies-kept", "mlp", copies_kept_by_a_classifier),
    sick("memory_leaking", "copies-of-an-autoencoder", "autoencoder", copies_kept_by_an_autoencoder),
    healthy("evaluated-often", "convolutional", evaluated_often),
    healthy("longer-sequences", "recurrent", longer_sequences),
    healthy("cache-that-fills", "mlp", cache_that_fills),
    healthy("much-at-times", "mlp", much_at_times),
]  # fmt: skip
