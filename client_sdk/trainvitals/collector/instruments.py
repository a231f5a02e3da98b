"""What hooks cannot see: clipping, and steps that a GradScaler skips. While anything is watched, two functions of
PyTorch's report to the watches; afterwards they are as they were."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import torch
from torch import Tensor
from torch.nn.utils import clip_grad
from torch.optim import Optimizer

from trainvitals.collector.replaced import Replaced

CLIP: Final = "_clip_grads_with_norm_"  # under every name by which clip_grad_norm_ may have been imported


class Listener(Protocol):
    """Who wants to know. Must not raise."""

    def clipped(self, parameters: Sequence[Tensor], *, norm: Tensor, max_norm: float | Tensor) -> None:
        """Gradients of these parameters had this norm before they were clipped."""

    def scaling(self, optimizer: Optimizer, *, scale: Tensor | None) -> None:
        """A GradScaler is about to have this optimizer step."""

    def scaled(self, optimizer: Optimizer, *, was_skipped: bool, found_inf: Tensor | None) -> None:
        """It has, or has skipped the step. An optimizer that skips by itself (a fused one) is told ``found_inf``, not
        0 where it is to skip, and was seen to step all the same."""


_listeners: list[Listener] = []
_replaced: Final = Replaced()


def listen(listener: Listener) -> None:
    """Report to it from now on."""
    if not _listeners:
        _install()
    _listeners.append(listener)


def leave(listener: Listener) -> None:
    """Report to it no more."""
    if listener in _listeners:
        _listeners.remove(listener)
    if not _listeners:
        _replaced.undo()


def _install() -> None:
    if hasattr(clip_grad, CLIP):
        _replaced.put(clip_grad, CLIP, _reporting_clip(getattr(clip_grad, CLIP)))
    _replaced.put(torch.amp.GradScaler, "step", _reporting_step(torch.amp.GradScaler.step))


def _reporting_clip(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def clip(parameters: Any, max_norm: float | Tensor, total_norm: Tensor, *rest: Any, **named: Any) -> Any:
        if not torch.compiler.is_compiling():
            given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
            for listener in list(_listeners):
                listener.clipped(given, norm=total_norm, max_norm=max_norm)
            parameters = given
        return original(parameters, max_norm, total_norm, *rest, **named)

    return clip


def _reporting_step(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def step(self: torch.amp.GradScaler, optimizer: Optimizer, *rest: Any, **named: Any) -> Any:
        if not self.is_enabled() or not isinstance(optimizer, Optimizer):
            return original(self, optimizer, *rest, **named)
        stepped: list[Tensor | None] = []
        for listener in list(_listeners):
            listener.scaling(optimizer, scale=self._scale)
        handle = optimizer.register_step_post_hook(lambda *_: stepped.append(getattr(optimizer, "found_inf", None)))
        try:
            answer = original(self, optimizer, *rest, **named)
        finally:
            handle.remove()
        for listener in list(_listeners):
            listener.scaled(optimizer, was_skipped=not stepped, found_inf=stepped[-1] if stepped else None)
        return answer

    return step
