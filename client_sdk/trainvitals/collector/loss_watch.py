"""Listens to the loss functions of a sampled step, for the facts that rules read."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from trainvitals.collector.device_clock import is_capturing
from trainvitals.collector.loss_calls import LossCall, leave, listen
from trainvitals.collector.loss_facts import facts_of
from trainvitals.collector.sample import Sample


class LossWatch:
    """The first call of a sampled step that trains a network is told in full, of the others how many there are.
    ``guarded`` measures: within it no error reaches the training, and its time is counted."""

    def __init__(self, guarded: Callable[[Callable[[], None]], None]) -> None:
        self._guarded = guarded
        self._sample: Sample | None = None
        self._calls = 0

    def start(self) -> None:
        """Listen."""
        listen(self)

    def stop(self) -> None:
        """Listen no more."""
        leave(self)

    def begin(self, sample: Sample) -> None:
        """A sampled step begins."""
        self._sample, self._calls = sample, 0

    def end(self) -> None:
        """It ends."""
        sample, self._sample = self._sample, None
        if sample is not None and self._calls:
            sample.facts["loss_calls"] = float(self._calls)

    def wants_losses(self) -> bool:
        """See ``loss_calls.Listener``: of training, and neither in a backward pass nor under torch.func, nor while a
        CUDA graph is made."""
        return (
            self._sample is not None
            and torch.is_grad_enabled()
            and torch._C._current_graph_task_id() == -1
            and torch._C._functorch.peek_interpreter_stack() is None
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
