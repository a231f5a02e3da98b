"""Weights that are kept in half precision, and lose the steps that are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR

from clinic.bench import Batches, Bench
from clinic.case import healthy, sick
from clinic.cases.task import changed
from clinic.material import cancer, digits, text
from clinic.networks import GPT, mlp

SLOW = ("updates_too_small", "layer_not_learning", "loss_not_decreasing", "learning_rate_too_low", "labels_shuffled",
        "class_collapse")  # fmt: skip


def in_half(batches: Batches, dtype: torch.dtype = torch.bfloat16) -> Batches:
    """Batches whose inputs are rounded as the weights are."""
    return changed(batches, lambda x, y: (x.to(dtype), y))


def wide(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy in single precision, of one answer an example or a token."""
    return nn.functional.cross_entropy(logits.float().flatten(0, -2), labels.flatten())


def sgd_in_bfloat16(bench: Bench) -> None:
    """SGD at a rate that float32 learns with; of bfloat16 it moves next to nothing."""
    model = mlp((64, 128, 128, 10)).bfloat16()
    batches = in_half(digits().batches(seed=bench.seed))
    bench.fit(model, SGD(model.parameters(), lr=0.01), batches, steps=1500, loss_fn=wide)


def sgd_in_float16(bench: Bench) -> None:
    """The same in float16, which has three bits more."""
    model = mlp((30, 128, 128, 2), activation=nn.Tanh).half()
    batches = in_half(cancer().batches(32, seed=bench.seed), torch.float16)
    bench.fit(model, SGD(model.parameters(), lr=5e-4), batches, steps=1500, loss_fn=wide)


def gently_tuned_gpt(bench: Bench) -> None:
    """AdamW at a rate for fine-tuning, on a GPT whose weights are bfloat16."""
    model = GPT().bfloat16()
    optimizer = AdamW(model.parameters(), lr=3e-5)
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=300, loss_fn=wide)


def long_steps(bench: Bench) -> None:
    """Steps long enough for bfloat16, in a cosine that ends with nothing."""
    model = mlp().bfloat16()
    optimizer = Adam(model.parameters(), lr=5e-3)
    schedule = CosineAnnealingLR(optimizer, 600)
    batches = in_half(digits().batches(seed=bench.seed))
    bench.fit(model, optimizer, batches, steps=600, loss_fn=wide, schedule=schedule)


def converged(bench: Bench) -> None:
    """One batch learnt by heart: nothing is left to learn, and the last steps are lost."""
    model = mlp((64, 128, 10)).bfloat16()
    inputs, labels = next(digits().batches(16, seed=bench.seed))
    batch = inputs.bfloat16(), labels
    bench.fit(model, SGD(model.parameters(), lr=0.2, momentum=0.9), iter(lambda: batch, None), steps=400, loss_fn=wide)


class KahanSGD(Optimizer):
    """SGD that keeps what rounding takes from each step, and adds it to the next (Kahan summation)."""

    def __init__(self, parameters: Any, *, lr: float) -> None:
        super().__init__(parameters, {"lr": lr, "kahan_sum": True})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]  # never a closure
        """Move every weight by -lr · gradient, and what is owed to it."""
        for group in self.param_groups:
            for weight in group["params"]:
                owed = self.state[weight].setdefault("owed", torch.zeros_like(weight))
                owed.sub_(group["lr"] * weight.grad)
                before = weight.clone()
                weight.add_(owed)
                owed.sub_(weight - before)


def summed_by_kahan(bench: Bench) -> None:
    """The rate of the ill, with an optimizer that makes up for bfloat16."""
    model = mlp((64, 128, 128, 10)).bfloat16()
    batches = in_half(digits().batches(seed=bench.seed))
    bench.fit(model, KahanSGD(model.parameters(), lr=0.03), batches, steps=600, loss_fn=wide)


def gpt_that_learns(bench: Bench) -> None:
    """A GPT in bfloat16 at a rate that it feels: much is lost, and the loss falls."""
    model = GPT().bfloat16()
    optimizer = AdamW(model.parameters(), lr=2e-3)
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=300, loss_fn=wide)


CASES = [
    sick("updates_lost", "sgd-in-bfloat16", "mlp", sgd_in_bfloat16, follows=SLOW),
    sick("updates_lost", "sgd-in-float16", "mlp", sgd_in_float16, follows=SLOW),
    sick("updates_lost", "gently-tuned-gpt", "attention", gently_tuned_gpt, follows=SLOW),
    healthy("bfloat16-in-long-steps", "mlp", long_steps),
    healthy("bfloat16-by-heart", "mlp", converged),
    healthy("bfloat16-summed-by-kahan", "mlp", summed_by_kahan),
    healthy("bfloat16-gpt", "attention", gpt_that_learns),
]
