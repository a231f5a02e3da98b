"""Leaves things as they were: random numbers, gradients, buffers, modes and hooks of what a preflight looks at."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as modules_of_torch
from torch.optim import Optimizer
from torch.optim import optimizer as optimizers_of_torch

from trainvitals.collector.silence import silence

OURS = "trainvitals"
HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_hooks", "_backward_pre_hooks")
OF_OPTIMIZERS = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")

OF_ALL = (  # by which a script that names neither model nor optimizer is watched
    modules_of_torch._global_forward_pre_hooks,
    modules_of_torch._global_forward_hooks,
    optimizers_of_torch._global_optimizer_pre_hooks,
    optimizers_of_torch._global_optimizer_post_hooks,
)
MEMBERS = ("_parameters", "_buffers", *HOOKS)


@contextlib.contextmanager
def same_random_numbers() -> Iterator[None]:
    """Whatever is drawn inside, the sequences of torch, CUDA, Python and NumPy go on as if it had not been."""
    numpy: Any = sys.modules.get("numpy.random")  # Any: not ours to import
    cuda = torch.cuda.is_initialized()
    kept = torch.get_rng_state(), random.getstate(), numpy.get_state() if numpy else None
    kept_cuda = torch.cuda.get_rng_state_all() if cuda else []
    try:
        yield
    finally:
        torch.set_rng_state(kept[0])
        random.setstate(kept[1])
        if numpy:
            numpy.set_state(kept[2])
        if cuda:
            torch.cuda.set_rng_state_all(kept_cuda)


def seed(number: int) -> None:
    """Begin all sequences anew."""
    torch.manual_seed(number)
    random.seed(number)
    numpy: Any = sys.modules.get("numpy.random")  # Any: not ours to import
    if numpy:
        numpy.seed(number)


@contextlib.contextmanager
def untouched(modules: Sequence[nn.Module], optimizers: Sequence[Optimizer]) -> Iterator[None]:
    """Checks work on copies, but a loss may reach the originals by itself, for a penalty or a second opinion. Their
    gradients, buffers and modes are restored, and hooks of ours stay silent meanwhile."""
    parameters = {id(part): part for module in modules for part in module.parameters()}.values()
    grads = [(parameter, parameter.grad) for parameter in parameters]
    buffers = [(buffer, buffer.detach().clone()) for module in modules for buffer in module.buffers()]
    modes = [(part, part.training) for module in modules for part in module.modules()]
    for parameter, _ in grads:
        parameter.grad = None
    try:
        with _silenced(modules, optimizers), silence():
            yield
    finally:
        for parameter, grad in grads:
            parameter.grad = grad
        for buffer, value in buffers:
            if not torch.equal(buffer, value):
                _write(buffer, value)
        for part, mode in modes:
            part.training = mode


@contextlib.contextmanager
def _silenced(modules: Sequence[nn.Module], optimizers: Sequence[Optimizer]) -> Iterator[None]:
    removed: list[tuple[dict[int, Any], list[tuple[int, Any]]]] = []  # Any: hooks
    of_parts = (getattr(part, name) for module in modules for part in module.modules() for name in HOOKS)
    of_optimizers = (getattr(optimizer, name, {}) for optimizer in optimizers for name in OF_OPTIMIZERS)
    for hooks in (*OF_ALL, *of_parts, *of_optimizers):
        ours = [number for number, hook in hooks.items() if type(hook).__module__.startswith(OURS)]
        if ours:
            removed.append((hooks, list(hooks.items())))
        for number in ours:
            del hooks[number]
    try:
        yield
    finally:
        for hooks, items in removed:
            hooks.clear()
            hooks.update(items)


@contextlib.contextmanager
def restored(model: nn.Module, optimizers: Sequence[Optimizer]) -> Iterator[None]:
    """For what cannot be copied: the original may be trained inside, and is what it was afterwards, bit by bit."""
    values = [(tensor, tensor.data, tensor.detach().clone()) for tensor in (*model.parameters(), *model.buffers())]
    attributes = [(part, dict(part.__dict__)) for part in model.modules()]
    members = [(held, dict(held)) for part in model.modules() for held in (vars(part)[name] for name in MEMBERS)]
    states = [_state_of(optimizer) for optimizer in optimizers]
    try:
        yield
    finally:
        for part, kept in attributes:
            part.__dict__.clear()
            part.__dict__.update(kept)
        for held, items in members:
            held.clear()
            held.update(items)
        for parameter in model.parameters():
            parameter.grad = None  # ``untouched`` has the user's
        for tensor, data, value in values:
            tensor.data = data  # its type may have been changed
            _write(tensor, value)
        for optimizer, (groups, state) in zip(optimizers, states, strict=True):
            for group, settings in zip(optimizer.param_groups, groups, strict=True):
                group.clear()
                group.update(settings)
            optimizer.state.clear()
            optimizer.state.update({key: _values_again(kept) for key, kept in state.items()})


Kept = dict[str, tuple[Any, Any]]  # Any: tensors with their values, numbers


def _state_of(optimizer: Optimizer) -> tuple[list[dict[str, Any]], dict[Tensor, Kept]]:
    """Groups and state as they are now."""
    groups = [dict(group) for group in optimizer.param_groups]
    state = {
        key: {name: (part, part.detach().clone() if isinstance(part, Tensor) else part) for name, part in parts.items()}
        for key, parts in optimizer.state.items()
    }
    return groups, state


def _values_again(kept: Kept) -> dict[str, Any]:
    for part, value in kept.values():
        if isinstance(part, Tensor):
            _write(part, value)
    return {name: part for name, (part, _) in kept.items()}


def _write(tensor: Tensor, value: Tensor) -> None:
    with torch.no_grad():
        tensor.copy_(value)
