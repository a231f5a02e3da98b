"""Calls of ``torch.relu``, ``torch.tanh`` and ``torch.sigmoid``, in place or not, as functions or as methods of a
tensor, told to who wants to know; when nobody does any more, all is as it was."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from types import FrameType, ModuleType
from typing import Any, Final, Protocol

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.modules import activation

from trainvitals.collector.replaced import Replaced

RECTIFYING: Final = ("relu", "relu_")
SQUASHING: Final = ("tanh", "tanh_", "sigmoid", "sigmoid_")
PASSED_ON_BY: Final = frozenset({"torch.nn.functional", "torch.overrides", "torch._tensor"})
_COMPILER: Final = "torch._dynamo.eval_frame"


class Listener(Protocol):
    """Who wants to know. Must not raise."""

    def activated(self, function: str, answer: Tensor) -> bool:
        """``function``, one of ``RECTIFYING`` or ``SQUASHING``, has been called, and has given this. Whether that was
        of interest."""


_listeners: list[Listener] = []
_replaced: Final = Replaced()
_of_interest: Final[set[Callable[..., Any]]] = set()  # those of ours whose calls were


def listen(listener: Listener, *, to_all: bool) -> None:
    """Report to it from now on, of all or of those functions alone whose calls have been of interest: it costs some
    forty microseconds to replace them all, for methods of tensors have to be looked up anew."""
    for owner, name, theirs, ours in _names():
        is_there = getattr(owner, name, None) is theirs  # else ours is, or somebody has put theirs around it
        if is_there and (to_all or ours in _of_interest):
            _replaced.put(owner, name, ours)
    _listeners.append(listener)


def leave(listener: Listener) -> None:
    """Report to it no more."""
    if listener in _listeners:
        _listeners.remove(listener)
    if not _listeners:
        _replaced.undo()


def is_worth_while() -> bool:
    """Whether any call has been of interest."""
    return bool(_of_interest)


def may_compile() -> bool:
    """Whether this process has had anything compiled, which is compiled anew when a function that it calls is replaced
    or put back."""
    compiler = sys.modules.get(_COMPILER)
    return any(backend is not None for backend in getattr(compiler, "cached_backends", {}).values())


def is_of_a_module(frame: FrameType | None) -> bool:
    """Whether the function that ``frame`` has called is called for a module such as ``nn.ReLU``."""
    while frame is not None and frame.f_globals.get("__name__") in PASSED_ON_BY:
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__") == activation.__name__


@functools.cache
def _names() -> tuple[tuple[ModuleType | type, str, Callable[..., Any], Callable[..., Any]], ...]:
    """Owner, name, the function that it has there, and ours."""
    return tuple(_found())


def _found() -> Iterator[tuple[ModuleType | type, str, Callable[..., Any], Callable[..., Any]]]:
    for name in (*RECTIFYING, *SQUASHING):
        function, method = getattr(torch, name), getattr(Tensor, name)
        ours = _reporting(name, function)
        # so that TorchScript compiles what calls it as it always did
        if hasattr(torch.jit._builtins, "_register_builtin"):
            torch.jit._builtins._register_builtin(ours, f"aten::{name}")
        for owner in (torch, functional):
            yield from ((owner, key, function, ours) for key, value in list(vars(owner).items()) if value is function)
        yield Tensor, name, method, _reporting(name, method)


def _reporting(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def report(*arguments: Any, **named: Any) -> Any:
        answer = original(*arguments, **named)
        if not torch.compiler.is_compiling() and isinstance(answer, Tensor):
            for listener in list(_listeners):
                if listener.activated(name, answer):
                    _of_interest.add(report)
        return answer

    return report
