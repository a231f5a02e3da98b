"""Loss scales that fall without end, and steps that are skipped."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Adam

from clinic.bench import Batches, Bench
from clinic.case import healthy, sick
from clinic.cases.task import changed
from clinic.material import digits
from clinic.networks import InHalf, mlp

SPOILT = ("skipped_steps", "loss_scale_collapsing", "non_finite_values")


class UnitLength(nn.Module):
    """Rows of length 1. Without ``inside``, the ε stands where it saves the division and not the gradient of sqrt."""

    def __init__(self, *, inside: bool = False) -> None:
        super().__init__()
        self.inside, self.outside = (1e-6, 0.0) if inside else (0.0, 1e-6)

    def forward(self, rows: Tensor) -> Tensor:
        """[n, width] to the same."""
        return rows / ((rows.square().sum(-1, keepdim=True) + self.inside).sqrt() + self.outside)


def with_empty_pages(batches: Batches, *, share: float) -> Batches:
    """Batches in which so many pictures are empty."""
    return changed(batches, lambda x, y: (x * (torch.rand(len(x), 1) >= share), y))


def unit_mlp(*, inside: bool = False) -> nn.Sequential:
    """Features without bias, of unit length: those of an empty page have none."""
    return nn.Sequential(nn.Linear(64, 96, bias=False), nn.GELU(), UnitLength(inside=inside), nn.Linear(96, 10))


def unit_cnn() -> nn.Sequential:
    """The same behind convolutions."""
    return nn.Sequential(
        *(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.GELU()),
        *(nn.Conv2d(16, 16, 3, stride=2, bias=False), nn.SiLU(), nn.Flatten(), UnitLength(), nn.Linear(144, 10)),
    )


def some_empty_pages(bench: Bench) -> None:
    """One batch in seven has an empty page, whose gradient is NaN at any scale."""
    model = unit_mlp()
    batches = with_empty_pages(digits().batches(seed=bench.seed), share=0.0025)
    bench.fit(model, Adam(model.parameters(), lr=2e-3), batches, steps=800, scaler=GradScaler("cpu"))


def some_empty_pages_before_convolutions(bench: Bench) -> None:
    """The same with convolutions."""
    model = unit_cnn()
    batches = with_empty_pages(digits().batches(32, seed=bench.seed), share=0.005)
    bench.fit(model, Adam(model.parameters(), lr=2e-3), batches, steps=700, scaler=GradScaler("cpu"))


def many_empty_pages(bench: Bench) -> None:
    """One batch in three has an empty page."""
    model = unit_mlp()
    batches = with_empty_pages(digits().batches(seed=bench.seed), share=0.0065)
    bench.fit(model, Adam(model.parameters(), lr=2e-3), batches, steps=420, scaler=GradScaler("cpu"))


def many_empty_pages_before_convolutions(bench: Bench) -> None:
    """The same with convolutions."""
    model = unit_cnn()
    batches = with_empty_pages(digits().batches(32, seed=bench.seed), share=0.013)
    bench.fit(model, Adam(model.parameters(), lr=2e-3), batches, steps=420, scaler=GradScaler("cpu"))


def grown_at_once(bench: Bench) -> None:
    """A growth_interval of 2 for 2,000: the scale is too large at every third step, in float16."""
    model = InHalf(mlp((64, 128, 10)))
    batches = digits().batches(seed=bench.seed)
    scaler = GradScaler("cpu", growth_interval=2)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=500, scaler=scaler)


def empty_pages_borne(bench: Bench) -> None:
    """Empty pages, and the ε where it belongs: no step is skipped."""
    model = unit_mlp(inside=True)
    batches = with_empty_pages(digits().batches(seed=bench.seed), share=0.01)
    bench.fit(model, Adam(model.parameters(), lr=2e-3), batches, steps=500, scaler=GradScaler("cpu"))


def long_search(bench: Bench) -> None:
    """A scale that begins far too high, and later grows once in thirty steps, often by one time too many."""
    model = InHalf(mlp((64, 128, 10)))
    batches = digits().batches(seed=bench.seed)
    scaler = GradScaler("cpu", init_scale=2.0**40, growth_interval=30)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=500, scaler=scaler)


CASES = [
    sick("loss_scale_collapsing", "some-empty-pages", "mlp", some_empty_pages, follows=SPOILT),
    sick("loss_scale_collapsing", "some-empty-pages-before-convolutions", "convolutional",
         some_empty_pages_before_convolutions, follows=SPOILT),
    sick("skipped_steps", "many-empty-pages", "mlp", many_empty_pages, follows=SPOILT),
    sick("skipped_steps", "grown-at-once", "mlp", grown_at_once, follows=SPOILT),
    sick("skipped_steps", "many-empty-pages-before-convolutions", "convolutional",
         many_empty_pages_before_convolutions, follows=SPOILT),
    healthy("empty-pages-borne", "mlp", empty_pages_borne),
    healthy("long-search-of-a-scale", "mlp", long_search),
]  # fmt: skip
