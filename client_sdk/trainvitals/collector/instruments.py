"""What hooks cannot see: clipping, and steps that a GradScaler skips. While anything is watched, three functions of
PyTorch's report to the watches; afterwards they are as they were."""

from __future__ import annotations

import functools
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, Final, Protocol

import torch
from torch import Tensor
from torch.nn.utils import clip_grad
from torch.optim import Optimizer

from trainvitals.collector.replaced import Owner, Replaced

CLIP: Final = "_clip_grads_with_norm_"  # which clip_grad_norm_ calls, and which torch.nn.utils has under another name
NORM: Final = "_get_total_norm"  # the same
MOST_NORMS: Final = 256  # that may be computed before the first of them is clipped by


class Listener(Protocol):
    """Who wants to know. Must not raise."""

    def clipped(
        self, parameters: Sequence[Tensor], *, norm: Tensor, max_norm: float | Tensor, is_euclidean: bool
    ) -> None:
        """Gradients of these parameters had this norm before they were clipped; ``is_euclidean``: for all that is
        known, and of all of them together."""

    def scaling(self, optimizer: Optimizer, *, scale: Tensor | None) -> None:
        """A GradScaler is about to have this optimizer step."""

    def scaled(self, optimizer: Optimizer, *, was_skipped: bool, found_inf: Tensor | None) -> None:
        """It has, or has skipped the step. An optimizer that skips by itself (a fused one) is told ``found_inf``, not
        0 where it is to skip, and was seen to step all the same."""


listeners: list[Listener] = []
_replaced: Final = Replaced()
_euclidean: Final[deque[weakref.ref[Tensor]]] = deque(maxlen=MOST_NORMS)


def listen(listener: Listener) -> None:
    """Report to it from now on."""
    if not listeners:
        _install()
    listeners.append(listener)


def leave(listener: Listener) -> None:
    """Report to it no more."""
    if listener in listeners:
        listeners.remove(listener)
    if not listeners:
        _replaced.undo()


def _install() -> None:
    for name, reporting in ((CLIP, _reporting_clip), (NORM, _noting_norm)):
        if hasattr(clip_grad, name):
            owner, within = _behind_all_names(name)
            _replaced.put(owner, within, reporting(getattr(owner, within)))
    _replaced.put(torch.amp.GradScaler, "step", _reporting_step(torch.amp.GradScaler.step))


def _behind_all_names(name: str) -> tuple[Owner, str]:
    """Where a function is under every name by which it may have been imported: PyTorch has it in a wrapper, which looks
    it up at every call."""
    function = getattr(clip_grad, name)
    variables = function.__code__.co_freevars if isinstance(function, FunctionType) else ()
    cells = dict(zip(variables, getattr(function, "__closure__", None) or (), strict=True))
    return (cells["func"], "cell_contents") if "func" in cells else (clip_grad, name)


def _noting_norm(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def total(tensors: Any, norm_type: Any = 2.0, *rest: Any, **named: Any) -> Any:
        norm = original(tensors, norm_type, *rest, **named)
        if not torch.compiler.is_compiling() and float(norm_type) == 2.0:
            _euclidean.append(weakref.ref(norm))
        return norm

    return total


def _reporting_clip(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def clip(parameters: Any, max_norm: float | Tensor, total_norm: Tensor, *rest: Any, **named: Any) -> Any:
        if not torch.compiler.is_compiling():
            given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
            is_euclidean = any(one() is total_norm for one in tuple(_euclidean))
            for listener in list(listeners):
                listener.clipped(given, norm=total_norm, max_norm=max_norm, is_euclidean=is_euclidean)
            parameters = given
        return original(parameters, max_norm, total_norm, *rest, **named)

    return clip


def _reporting_step(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def step(self: torch.amp.GradScaler, optimizer: Optimizer, *rest: Any, **named: Any) -> Any:
        if not self.is_enabled() or not isinstance(optimizer, Optimizer):
            return original(self, optimizer, *rest, **named)
        stepped: list[Tensor | None] = []
        for listener in list(listeners):
            listener.scaling(optimizer, scale=self._scale)
        handle = optimizer.register_step_post_hook(lambda *_: stepped.append(getattr(optimizer, "found_inf", None)))
        try:
            answer = original(self, optimizer, *rest, **named)
        finally:
            handle.remove()
        for listener in list(listeners):
            listener.scaled(optimizer, was_skipped=not stepped, found_inf=stepped[-1] if stepped else None)
        return answer

    return step
