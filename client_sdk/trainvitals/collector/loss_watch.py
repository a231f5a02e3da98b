"""Listens to the loss functions of a sampled step, for the facts that rules read."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from trainvitals.collector.device_clock import is_capturing
from trainvitals.collector.loss_calls import LossCall, leave, listen
from trainvitals.collector.loss_facts import facts_of
from trainvitals.collector.parcel import on_one_device
from trainvitals.collector.sample import Sample
from trainvitals.collector.transforms import is_repeated, is_transformed


class LossWatch:
    """The first call of a sampled step that trains a network is told in full, of the others how many there are, and
    with what weight the backward passes take their means: 1 for a loss that is called backward on as it is, 1/4 where
    it is divided by 4. ``guarded`` measures: within it no error reaches the training, and its time is counted.
    ``is_plain`` as for ``Accumulation``: else weights are not looked at."""

    def __init__(self, guarded: Callable[[Callable[[], None]], None], *, is_plain: bool) -> None:
        self._guarded = guarded
        self._is_plain = is_plain
        self._sample: Sample | None = None
        self._calls = 0
        self._weights: list[Tensor] = []
        self._passes: set[int] = set()  # backward

    def start(self) -> None:
        """Listen."""
        listen(self)

    def stop(self) -> None:
        """Listen no more."""
        leave(self)

    def begin(self, sample: Sample) -> None:
        """A sampled step begins."""
        self._sample, self._calls = sample, 0
        self._weights, self._passes = [], set()

    def end(self, *, loss_scale: Tensor | None) -> None:
        """It ends; ``loss_scale``: a GradScaler's, by which losses are multiplied."""
        sample, self._sample = self._sample, None
        if sample is not None and self._calls:
            sample.facts["loss_calls"] = float(self._calls)
        if sample is not None and self._weights:
            weight = torch.stack([one.float() for one in on_one_device(self._weights)]).mean()
            sample.facts["loss_weight"] = weight if loss_scale is None else weight / loss_scale.detach().to(weight)
            sample.facts["loss_passes"] = float(len(self._passes))
        self._weights = []

    def wants_losses(self) -> bool:
        """See ``loss_calls.Listener``: of training, and neither in a backward pass nor under torch.func, nor while a
        CUDA graph is made."""
        return (
            self._sample is not None
            and torch.is_grad_enabled()
            and not is_repeated()
            and not is_transformed()
            and not is_capturing()
        )

    def lost(self, call: Callable[[], LossCall]) -> None:
        """See ``loss_calls.Listener``."""
        self._guarded(lambda: self._take(call()))

    def _take(self, call: LossCall) -> None:
        sample = self._sample
        if sample is None or not (is_plain(call.prediction) and is_plain(call.target)):
            return
        if not call.prediction.requires_grad:
            return
        self._calls += 1
        if self._calls == 1:
            sample.facts.update(facts_of(call))
        answer = call.answer
        if self._is_plain and answer.dim() == 0 and answer.requires_grad and call.given.get("reduction") == "mean":
            answer.register_hook(lambda gradient: self._guarded(lambda: self._weigh(sample, gradient)))

    def _weigh(self, sample: Sample, gradient: Tensor) -> None:
        if self._sample is sample:
            self._weights.append(gradient.detach())
            self._passes.add(torch._C._current_graph_task_id())


def is_plain(tensor: object) -> bool:
    """A dense tensor with values, and no shard of one."""
    return (
        isinstance(tensor, Tensor)
        and tensor.layout == torch.strided
        and not tensor.is_nested
        and tensor.device.type != "meta"
        and tensor.numel() > 0
        and not tensor.is_complex()
        and not hasattr(tensor, "_local_tensor")
    )
