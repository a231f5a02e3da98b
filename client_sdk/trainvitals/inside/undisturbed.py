"""A pass of the training's own model that leaves no trace: modes, buffers, attributes, gradients, random numbers and
hooks are afterwards what they were, and nobody who listens takes it for a pass of the training."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import Tensor, nn

from trainvitals.collector.silence import silence
from trainvitals.preflight.untouched import HOOKS, OF_ALL, same_random_numbers

COMPILED: Final = "_compiled_call_impl"  # where ``Module.compile`` puts what then stands for the module's call


@contextlib.contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """The model evaluates within; what is compiled runs as it is written."""
    parts = list(model.modules())
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        enter(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # a pass of ours is nothing to warn of
        enter(same_random_numbers())
        enter(silence())
        enter(_same_attributes(parts))
        enter(_same_buffers(parts))
        enter(_without_hooks(parts))
        enter(_uncompiled())
        enter(_plain_attention())
        for kind in ("cpu", "cuda"):  # else autocast would keep copies of weights that know no gradient
            enter(torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else contextlib.nullcontext())
        for part in parts:
            part.training = False
            part.__dict__.pop(COMPILED, None)
        yield


@contextlib.contextmanager
def _same_attributes(parts: list[nn.Module]) -> Iterator[None]:
    """Modes, and what else modules note of themselves: a count of calls, the last hidden state."""
    held = [(part, part.training, dict(part.__dict__), dict(part._buffers)) for part in parts]
    try:
        yield
    finally:
        for part, mode, kept, buffers in held:
            _restore(part.__dict__, kept)
            _restore(part._buffers, buffers)
            if part.training != mode:  # kept elsewhere: a property
                part.training = mode


def _restore(there: dict[str, Any], kept: dict[str, Any]) -> None:  # Any: whatever modules hold
    """Touches what differs, and nothing else: compiled code is guarded by these dictionaries."""
    for name in [name for name in there if name not in kept]:
        del there[name]
    for name, value in kept.items():
        if name not in there or there[name] is not value:
            there[name] = value


@contextlib.contextmanager
def _same_buffers(parts: list[nn.Module]) -> Iterator[None]:
    """Some layers count or average in evaluation, too."""
    found = {id(one): one for part in parts for one in part._buffers.values() if isinstance(one, Tensor)}
    held = [(buffer, buffer._version, buffer.detach().clone()) for buffer in found.values()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, version, value in held:
                if buffer._version != version:
                    buffer.copy_(value)


@contextlib.contextmanager
def _without_hooks(parts: list[nn.Module]) -> Iterator[None]:
    """Neither ours nor the user's run; those of PyTorch, by which weights are normalised or pruned, do."""
    held: list[tuple[dict[int, Any], list[tuple[int, Any]]]] = []  # Any: hooks
    try:
        for hooks in (*OF_ALL, *(getattr(part, name) for part in parts for name in HOOKS)):
            others = [number for number, hook in hooks.items() if not _is_of_torch(hook)]
            if others:
                held.append((hooks, list(hooks.items())))
            for number in others:
                del hooks[number]
        yield
    finally:
        for hooks, items in held:
            hooks.clear()
            hooks.update(items)


def _is_of_torch(hook: object) -> bool:
    origin = getattr(hook, "__module__", None) or type(hook).__module__
    return str(origin).startswith("torch.")


def _uncompiled() -> contextlib.AbstractContextManager[object]:
    if "torch._dynamo" not in sys.modules:  # nothing is compiled, and loading it would take seconds
        return contextlib.nullcontext()
    stance = getattr(torch.compiler, "set_stance", None)  # since PyTorch 2.6
    return contextlib.nullcontext() if stance is None else stance("force_eager")


@contextlib.contextmanager
def _plain_attention() -> Iterator[None]:
    """Layers of transformers that evaluate go a faster way, on which nothing is seen of what is in them."""
    is_fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(is_fast)
