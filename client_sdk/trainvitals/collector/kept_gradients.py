"""Whether a step's gradient was added to that of the step before, as it is where nothing clears them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from trainvitals.collector.device_clock import is_capturing
from trainvitals.collector.few import ACTIVATIONS
from trainvitals.collector.loss_watch import is_plain
from trainvitals.collector.sample import Sample

CANDIDATES: Final = 2  # of the last parameters, for a head's bias is small, and hardly ever without a gradient


class KeptGradients:
    """Looks at one parameter of an optimizer in the backward passes of a sampled step, each before its gradient is
    added. Clearing may come anywhere between two steps, and passes that train nothing before it: a gradient is kept
    if none of the step's passes found it empty. ``guarded`` measures, as for ``LossWatch``."""

    def __init__(self, optimizer: Optimizer, guarded: Callable[[Callable[[], None]], None]) -> None:
        self._optimizer, self._guarded = optimizer, guarded
        self._parameter: Tensor | None = None  # chosen at a step, so that one has been taken before any is judged
        self._handle: RemovableHandle | None = None
        self._old: Tensor | None = None  # what the newest pass added to
        self._kept: float | Tensor | None = None

    def begin(self) -> None:
        """A sampled step begins."""
        self.end()
        if self._parameter is not None and self._parameter.requires_grad:
            self._handle = self._parameter.register_hook(lambda _: self._guarded(self._look))

    def step(self, sample: Sample) -> None:
        """The optimizer is about to step: tell of the passes that are over."""
        self._guarded(lambda: self._tell(sample))

    def end(self) -> None:
        """Look no more."""
        if self._handle is not None:
            self._handle.remove()
        self._handle = self._kept = self._old = None

    def _tell(self, sample: Sample) -> None:
        parameter, kept, old = self._parameter, self._kept, self._old
        self.end()
        if parameter is None:
            self._parameter = self._choose()
        elif kept is not None and (old is None or parameter.grad is old):  # else it was replaced, not added to
            sample.facts["gradients_kept"] = kept

    def _look(self) -> None:
        if self._handle is None or self._parameter is None or is_capturing():
            return
        self._old = self._parameter.grad
        kept: float | Tensor = 0.0
        if self._old is not None and is_plain(self._old):
            kept = ACTIVATIONS.of(self._old.detach()).ne(0).any().float()
        self._kept = kept if self._kept is None else self._kept * kept

    def _choose(self) -> Tensor | None:
        with_gradient = [
            parameter
            for group in self._optimizer.param_groups
            for parameter in group["params"]
            if parameter.grad is not None and is_plain(parameter.grad) and not hasattr(parameter, "_local_tensor")
        ]
        return min(with_gradient[-CANDIDATES:], key=torch.Tensor.numel, default=None)
