"""What an optimizer's step is watched for: the gradients it sees, the weights before it, how far it moves them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainvitals.collector.snapshots import Sample
from trainvitals.collector.stats import gradients
from trainvitals.collector.stats.norms import norms


class OptimizerWatch:
    """The parameters of one optimizer with their layers. Keeps one copy of them, made at the first sampled step."""

    def __init__(self, optimizer: Optimizer, *, pairs: list[tuple[nn.Parameter, int]]) -> None:
        self._optimizer = optimizer
        self._parameters: list[Tensor] = [parameter for parameter, _ in pairs]
        self._owners = [owner for _, owner in pairs]
        self._copies: list[Tensor] = []
        self._copied = False
        self._gradients_to_come = False

    def before(self, sample: Sample, *, has_closure: bool) -> None:
        """Before the step: gradients accumulated, and unscaled, as the optimizer sees them; weights copied. A closure
        makes the gradients in the step, so that they are looked at when it is over."""
        self._gradients_to_come = has_closure
        if not self._parameters:
            return
        if not has_closure:
            self._take_gradients(sample)
        if [copy.shape for copy in self._copies] != [parameter.shape for parameter in self._parameters]:
            self._copies = [torch.empty_like(parameter) for parameter in self._parameters]
        torch._foreach_copy_(self._copies, self._parameters)
        self._copied = True

    def after(self, sample: Sample) -> None:
        """After the step: norms of the weights before it, and of their change."""
        if not self._copied:
            return
        self._copied = False
        if self._gradients_to_come:
            self._take_gradients(sample)
        sample.before.append(norms(self._copies))
        torch._foreach_sub_(self._copies, self._parameters)
        sample.moved.append(norms(self._copies))
        sample.parameter_owners.extend(self._owners)

    def _take_gradients(self, sample: Sample) -> None:
        held = [
            (parameter.grad, owner)
            for parameter, owner in zip(self._parameters, self._owners, strict=True)
            if parameter.grad is not None
        ]
        if not held:
            return
        reduced = gradients.reduce([gradient for gradient, _ in held])
        scale = getattr(self._optimizer, "grad_scale", None)  # a GradScaler leaves unscaling to fused optimizers
        sample.gradients.append(reduced if scale is None else reduced / scale)
        sample.gradient_owners.extend(owner for _, owner in held)
