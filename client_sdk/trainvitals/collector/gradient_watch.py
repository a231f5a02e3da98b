"""What a rank that ships no layers watches an optimizer for: the gradient's norm alone."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.optim import Optimizer

from trainvitals.collector.parameter_rows import local
from trainvitals.collector.sample import TOGETHER, Sample
from trainvitals.collector.stats.gradients import norm_of_all


class GradientWatch:
    """The parameters of one optimizer, in place of an ``OptimizerWatch``."""

    def __init__(self, optimizer: Optimizer, parameters: Sequence[Tensor]) -> None:
        self._optimizer = optimizer
        self._parameters = list(parameters)
        self._has_closure = False

    def prepare(self) -> None:
        """There is nothing to."""

    def before(self, sample: Sample, *, has_closure: bool) -> None:
        """Before the step: gradients as the optimizer sees them, unless a closure makes them in it."""
        self._has_closure = has_closure
        if not has_closure:
            self._take(sample)

    def after(self, sample: Sample) -> None:
        """After the step."""
        if self._has_closure:
            self._take(sample)

    def _take(self, sample: Sample) -> None:
        if isinstance(found := getattr(self._optimizer, "found_inf", None), Tensor):
            sample.add("skipped", found.reshape(1, 1), owners=[0], sizes=[1])
        take_together(sample, self._parameters, scale=getattr(self._optimizer, "grad_scale", None))


def take_together(sample: Sample, parameters: Sequence[Tensor], *, scale: Tensor | None) -> None:
    """Add the norm of their gradients, if there are any. ``scale``: what these were multiplied by."""
    held = [local(parameter.grad) for parameter in parameters if parameter.grad is not None]
    if held:
        norm = norm_of_all(held).reshape(1, 1)
        sample.add(TOGETHER, norm if scale is None else norm / scale, owners=[0], sizes=[1])
