"""A pass of the training's own model that leaves no trace: modes, buffers, attributes, gradients, random numbers and
hooks are afterwards what they were, and nobody who listens takes it for a pass of the training."""

from __future__ import annotations

import contextlib
import copy
import sys
import warnings
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from itertools import chain, zip_longest
from typing import Any, Final

import torch
from torch import Tensor, distributed, nn
from torch.utils._python_dispatch import TorchDispatchMode

from trainvitals.collector.silence import silence
from trainvitals.preflight.untouched import HOOKS, OF_ALL, same_random_numbers

HOLDERS: Final = (list, dict, set, deque, OrderedDict, defaultdict)
TALKING: Final = ("c10d", "_c10d_functional")  # operations of processes that train together
MOST_COPIED: Final = 2**28  # bytes of buffers, and of tensors that modules hold beside their parameters
_MISSING: Final = object()
COMPILED: Final = "_compiled_call_impl"  # where ``Module.compile`` puts what then stands for the module's call


@contextlib.contextmanager
def undisturbed(model: nn.Module, *, warily: bool = True) -> Iterator[None]:
    """The model evaluates within; what is compiled runs as it is written. ``warily``: a forward that changes its
    parameters is refused, which costs time; one that talks to other ranks always is. Raises RuntimeError for these."""
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
        if warily or _has_others():
            enter(_Alone(parts))
        yield


def _has_others() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


@contextlib.contextmanager
def _same_attributes(parts: list[nn.Module]) -> Iterator[None]:
    """Modes, and what else modules note of themselves: a count of calls, the last hidden state."""
    held = [(part, part.training, dict(part.__dict__), dict(part._buffers)) for part in parts]
    holders = [(one, copy.copy(one)) for part in parts for one in part.__dict__.values() if type(one) in HOLDERS]
    try:
        yield
    finally:
        for holder, content in holders:
            _refill(holder, content)
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


def _refill(holder: Any, content: Any) -> None:  # Any: a list, a dict, a set
    """As above: what did not change is not touched."""
    before, now = ((list(one.items()) if isinstance(one, dict) else list(one)) for one in (content, holder))
    flat = (list(chain.from_iterable(one)) if isinstance(content, dict) else one for one in (before, now))
    if all(kept is there for kept, there in zip_longest(*flat, fillvalue=_MISSING)):
        return
    holder.clear()
    (holder.extend if isinstance(holder, (list, deque)) else holder.update)(content)


@contextlib.contextmanager
def _same_buffers(parts: list[nn.Module]) -> Iterator[None]:
    """Some layers count or average in evaluation, too; some put other values into their parameters."""
    kept = (one for part in parts for one in (*part._buffers.values(), *part.__dict__.values()))
    found = {id(one): one for one in kept if isinstance(one, Tensor)}
    if sum(one.nbytes for one in found.values()) > MOST_COPIED:
        raise RuntimeError("its modules hold more than 256 MB beside their parameters, too much to copy for a look")
    held = [(tensor, tensor.detach().clone()) for tensor in found.values()]
    weights = [(one, one.data) for one in _parameters(parts)]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in held:
                tensor.data.copy_(value)  # changes by way of data count no version
            for weight, data in weights:
                if weight.data_ptr() != data.data_ptr():
                    weight.data = data


class _Alone(TorchDispatchMode):
    """Refuses, before it happens, what only all ranks together may do, and what would change a parameter in place."""

    supports_higher_order_operators = True

    def __init__(self, parts: list[nn.Module]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch types it not
        self._weights = {one.untyped_storage()._cdata for one in _parameters(parts)}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # Any: as above
        if getattr(function, "namespace", "") in TALKING:
            raise RuntimeError(f"its forward talks to other ranks ({function}), which are not looking")
        if any(one.untyped_storage()._cdata in self._weights for one in _written(function, args, kwargs or {})):
            raise RuntimeError(f"its forward changes parameters ({function})")
        return function(*args, **(kwargs or {}))


def _written(function: Any, args: Any, kwargs: Any) -> Iterator[Tensor]:  # Any: an operation, and what it is given
    """The tensors that an operation changes in place."""
    schema = getattr(function, "_schema", None)
    for place, part in enumerate(schema.arguments if schema is not None and schema.is_mutable else ()):
        if part.alias_info is not None and part.alias_info.is_write:
            one = args[place] if place < len(args) else kwargs.get(part.name)
            yield from (
                each for each in (one if isinstance(one, (list, tuple)) else (one,)) if isinstance(each, Tensor)
            )


def _parameters(parts: list[nn.Module]) -> list[nn.Parameter]:
    every = dict.fromkeys(one for part in parts for one in part._parameters.values())
    return [one for one in every if one is not None]


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
