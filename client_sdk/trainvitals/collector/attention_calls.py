"""Calls of ``scaled_dot_product_attention``, under whatever name a module has imported it, told to who wants to know;
when nobody does any more, all is as it was."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final, Protocol

import torch
from torch.nn import functional

from trainvitals.collector.replaced import Replaced

NAME: Final = "scaled_dot_product_attention"
_attend: Final[Callable[..., Any]] = getattr(functional, NAME)


class Listener(Protocol):
    """Who wants to know. Must not raise."""

    def attended(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:  # Any: the function's own
        """The function has been called with these."""


listeners: list[Listener] = []
_replaced: Final = Replaced()


def listen(listener: Listener) -> None:
    """Report to it from now on."""
    if not listeners:
        for module, name in _names_of(_attend):
            _replaced.put(module, name, _reporting)
    listeners.append(listener)


def leave(listener: Listener) -> None:
    """Report to it no more."""
    if listener in listeners:
        listeners.remove(listener)
    if not listeners:
        _replaced.undo()


def _reporting(*arguments: Any, **named: Any) -> Any:
    """``torch.nn.functional.scaled_dot_product_attention``, reported."""
    answer = _attend(*arguments, **named)
    if not torch.compiler.is_compiling():
        for listener in list(listeners):
            listener.attended(arguments, named)
    return answer


# so that TorchScript compiles what calls it as it always did
if hasattr(torch.jit._builtins, "_register_builtin"):
    torch.jit._builtins._register_builtin(_reporting, f"aten::{NAME}")


def _names_of(function: Callable[..., Any]) -> Iterator[tuple[ModuleType, str]]:
    """Global names of all loaded modules that stand for it; 10 ms for some thousand modules. Not where it comes from,
    nor here."""
    for name, module in list(sys.modules.items()):
        if isinstance(module, ModuleType) and name not in ("torch._C._nn", __name__):
            for key, value in list(vars(module).items()):
                if value is function:
                    yield module, key
