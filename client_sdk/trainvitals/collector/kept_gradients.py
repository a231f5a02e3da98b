"""Whether a step's gradient was added to that of the step before, as it is where nothing clears them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle, unserializable_hook

from trainvitals.collector.device_clock import is_capturing
from trainvitals.collector.few import ACTIVATIONS
from trainvitals.collector.hooks import Faults, Hook
from trainvitals.collector.loss_watch import is_plain
from trainvitals.collector.sample import Sample

CANDIDATES: Final = 2  # of the last parameters, for a head's bias is small, and hardly ever without a gradient
FEWEST_VALUES: Final = 8  # of what is looked at, where there is such: gradients of one value are all alike
ALIKE: Final = 1e-6  # cosines that differ by less say nothing


class KeptGradients:
    """Looks at one parameter of an optimizer in the backward passes of a sampled step, each before its gradient is
    added. Clearing may come anywhere between two steps, and passes that train nothing before it: a gradient is kept
    if none of the step's passes found it empty, and it is then the sum of both. ``guarded`` measures, as for
    ``LossWatch``; ``is_plain`` as for ``Accumulation``: else nothing is looked at."""

    def __init__(
        self,
        optimizer: Optimizer,
        guarded: Callable[[Callable[[], None]], None],
        *,
        faults: Faults,
        is_plain: bool,
    ) -> None:
        self._optimizer, self._guarded, self._faults, self._is_plain = optimizer, guarded, faults, is_plain
        self._parameter: Tensor | None = None  # chosen at a step, so that one has been taken before any is judged
        self._handle: RemovableHandle | None = None
        self._old: Tensor | None = None  # what the newest pass added to, …
        self._added: Tensor | None = None  # … and a few values of the sum, and of what was added: [2, values]
        self._kept: float | Tensor | None = None

    def begin(self) -> None:
        """A sampled step begins."""
        self.end()
        if self._parameter is not None and self._parameter.requires_grad:
            hook = Hook(lambda gradient: self._guarded(lambda: self._look(gradient)), self._faults)

            @unserializable_hook  # type: ignore[untyped-decorator]  # torch's own; said of one that is gone in a copy
            def look(gradient: Tensor) -> None:
                hook(gradient)

            self._handle = self._parameter.register_hook(look)

    def step(self, sample: Sample) -> None:
        """The optimizer has stepped, and may have run passes of its own in it: tell of all of them."""
        self._guarded(lambda: self._tell(sample))

    def end(self) -> None:
        """Look no more."""
        if self._handle is not None:
            self._handle.remove()
        self._handle = self._kept = self._old = self._added = None

    def _tell(self, sample: Sample) -> None:
        parameter, kept, old, added = self._parameter, self._kept, self._old, self._added
        self.end()
        if parameter is None:
            self._parameter = self._choose() if self._is_plain else None
        elif kept is not None and old is None:
            sample.facts["gradients_kept"] = kept
        elif kept is not None and old is not None and added is not None and parameter.grad is old:
            now = ACTIVATIONS.of(old.detach()).reshape(1, -1).float()
            like_sum, like_new = cosine_similarity(now, added).unbind()  # clipping and unscaling leave the direction
            sample.facts["gradients_kept"] = kept * (like_sum - like_new).gt(ALIKE).float()  # else it was written over

    def _look(self, gradient: Tensor) -> None:
        if self._handle is None or self._parameter is None or is_capturing():
            return
        self._old = self._parameter.grad
        kept: float | Tensor = 0.0
        if self._old is not None and is_plain(self._old) and is_plain(gradient):
            few = ACTIVATIONS.of(self._old.detach())
            kept = few.ne(0).any().float()
            new = ACTIVATIONS.of(gradient.detach(), like=self._old).reshape(-1).float()
            self._added = torch.stack((few.reshape(-1).float() + new, new))
        self._kept = kept if self._kept is None else self._kept * kept

    def _choose(self) -> Tensor | None:
        with_gradient = [
            parameter
            for group in self._optimizer.param_groups
            for parameter in group["params"]
            if parameter.grad is not None and is_plain(parameter.grad) and not hasattr(parameter, "_local_tensor")
        ]
        last = with_gradient[-CANDIDATES:]
        large = [parameter for parameter in last if parameter.numel() >= FEWEST_VALUES]
        return min(large, key=torch.Tensor.numel) if large else max(last, key=torch.Tensor.numel, default=None)
