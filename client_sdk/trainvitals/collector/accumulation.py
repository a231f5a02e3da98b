"""The passes of one sampled step, where gradients are accumulated over several."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trainvitals.collector.sample import Sample
from trainvitals.collector.stats.gradients import norm_of_all


class Accumulation:
    """Looks at the gradients between the first two passes, when they are those of the first alone: all that the
    gradient noise scale takes beside the norm that the optimizer sees. ``is_plain``: one model and one optimizer, so
    that every pass adds to the same gradient, and one process: what ranks average among them, and when, is not seen."""

    def __init__(self, parameters: Sequence[Tensor], *, is_plain: bool) -> None:
        self._parameters = parameters
        self._is_plain = is_plain
        self._passes = self._examples = 0
        self._first: Tensor | None = None  # square norm after the first pass

    def begin(self) -> None:
        """A sampled step begins."""
        self._passes, self._first = 0, None

    def count(self, examples: int) -> None:
        """A training pass begins, of so many examples."""
        self._passes += 1
        self._examples = examples
        if self._passes == 2 and self._is_plain:
            self._first = norm_of_all([one.grad for one in self._parameters if one.grad is not None]).square()

    def add_to(self, sample: Sample, *, loss_scale: Tensor | None, norm_before_clipping: Tensor | None) -> None:
        """What ``noise.estimate`` makes the scale of: "noise" [3, 1], with passes and examples of the last pass."""
        if self._first is None:
            return
        first = self._first
        scale = torch.ones(()) if loss_scale is None else loss_scale.detach()
        norm = torch.full((), torch.nan) if norm_before_clipping is None else norm_before_clipping
        columns = torch.stack([one.to(first) for one in (first, scale, norm)]).unsqueeze(1)
        sample.add("noise", columns, owners=[self._passes], sizes=[self._examples])
