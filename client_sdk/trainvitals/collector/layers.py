"""Which layers of a model are watched, and which parameters belong to which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from torch import nn
from torch.optim import Optimizer

from trainvitals.collector.declared import initial_weights, settings_of
from trainvitals.collector.dtensors import flattened
from trainvitals.collector.optimizer_lines import made_in
from trainvitals.collector.roots import inner
from trainvitals.collector.source_lines import source_of
from trainvitals.plain import plain
from trainvitals.wire.messages import LayerInfo, ModelInfo, OptimizerInfo, ParameterGroup

MAX_NAME: Final = 512  # the wire's limit
NAMED: Final = 8  # layers in a message
MAX_LAYERS: Final = 20_000  # the wire's limit
COMPILED: Final = "_orig_mod"  # where torch.compile puts what it was given; a layer is called as if it were not


class NothingToWatch(ValueError):
    """The model has no layer that could be watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """The watched layers in the order of ``named_modules()``; ``owners[i]`` is the layer of ``parameters[i]``.

    A layer is a module with parameters of its own, or without children (an activation). A parameter shared by several
    belongs to the first. ``sources``: "file:line" of where each is made, where known. ``are_flattened``: parameters
    that FSDP1 holds are left out, and all their layers are without.
    """

    names: list[str]
    modules: list[nn.Module]
    parameters: list[nn.Parameter]
    owners: list[int]
    sources: list[str | None]
    are_flattened: bool = False


def find_layers(
    models: Mapping[str, nn.Module], *, include: Sequence[str] = ("*",), exclude: Sequence[str] = ()
) -> Layers:
    """The layers of models whose names match a pattern of ``include`` and none of ``exclude`` (shell patterns:
    ``blocks.*.mlp``). Keys of ``models`` are put before the names; a module that several share is the first's. Raises
    NothingToWatch."""
    hidden = flattened(models.values())
    found = Layers(names=[], modules=[], parameters=[], owners=[], sources=[], are_flattened=bool(hidden))
    seen: set[int] = set()
    by_name = dict(named_modules(models)) | {prefix: inner(model) for prefix, model in models.items()}
    for name, module in named_modules(models):
        own = [parameter for parameter in module.parameters(recurse=False) if id(parameter) not in hidden]
        if id(module) in seen or (not own and any(True for _ in module.children())):
            continue
        seen.add(id(module))
        if is_chosen(name, include=include, exclude=exclude) and len(found.names) < MAX_LAYERS:
            _add(found, name[:MAX_NAME], module, own, seen=seen)
            found.sources.append(source_of(name, by_name))
    if not found.parameters and not (hidden and found.names):
        raise NothingToWatch(_nothing_said(models, include=include, exclude=exclude))
    return found


def _nothing_said(models: Mapping[str, nn.Module], *, include: Sequence[str], exclude: Sequence[str]) -> str:
    kinds = ", ".join(type(model).__name__ for model in models.values())
    there = [name for name, module in named_modules(models) if any(True for _ in module.parameters(recurse=False))]
    if not there:
        return f"{kinds} has no parameters: build its layers before you watch it"
    names = ", ".join(there[:NAMED]) + (f" and {len(there) - NAMED} more" if len(there) > NAMED else "")
    but = f" but {list(exclude)}" if exclude else ""
    return f"no layer of {kinds} that has parameters is called as {list(include)} says{but}: there are {names}"


def named_modules(models: Mapping[str, nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    """All modules of models by the names that they have as layers."""
    for prefix, model in models.items():
        for path, module in model.named_modules():
            parts = [part for part in (prefix, *path.split(".")) if part and part != COMPILED]
            yield ".".join(parts) or type(module).__name__, module


def is_chosen(name: str, *, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Whether the name matches a pattern of ``include`` and none of ``exclude``."""
    return _matches(name, include) and not _matches(name, exclude)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _add(found: Layers, name: str, module: nn.Module, own: list[nn.Parameter], *, seen: set[int]) -> None:
    for parameter in own:
        if id(parameter) not in seen and parameter.numel():
            seen.add(id(parameter))
            found.parameters.append(parameter)
            found.owners.append(len(found.names))
    found.names.append(name)
    found.modules.append(module)


def describe(layers: Layers, optimizers: Sequence[Optimizer]) -> ModelInfo:
    """What the server is told of the model."""
    sizes, trainable = [0] * len(layers.names), [0] * len(layers.names)
    optimized = {id(parameter) for optimizer in optimizers for parameter in _parameters(optimizer)}
    in_optimizer = [True] * len(layers.names)
    largest: dict[int, nn.Parameter] = {}
    for parameter, owner in zip(layers.parameters, layers.owners, strict=True):
        sizes[owner] += parameter.numel()
        trainable[owner] += parameter.numel() if parameter.requires_grad else 0
        in_optimizer[owner] &= id(parameter) in optimized
        if owner not in largest or parameter.numel() > largest[owner].numel():
            largest[owner] = parameter
    initial = initial_weights(layers.parameters, layers.owners)
    infos = [
        LayerInfo(
            name=name,
            kind=type(module).__name__,
            parameters=sizes[index],
            trainable=trainable[index],
            in_optimizer=in_optimizer[index],
            source=layers.sources[index],
            settings=settings_of(module),
            initial=initial.get(index),
            dtype=str(largest[index].dtype).removeprefix("torch.") if index in largest else "",
        )
        for index, (name, module) in enumerate(zip(layers.names, layers.modules, strict=True))
    ]
    return ModelInfo(layers=infos, optimizers=[_describe_optimizer(layers, optimizer) for optimizer in optimizers])


def _describe_optimizer(layers: Layers, optimizer: Optimizer) -> OptimizerInfo:
    owner_of = {id(parameter): owner for parameter, owner in zip(layers.parameters, layers.owners, strict=True)}
    groups = []
    for group in optimizer.param_groups:
        owners = sorted({owner_of[id(parameter)] for parameter in group["params"] if id(parameter) in owner_of})
        settings = {key: plain(value) for key, value in group.items() if isinstance(value, (int, float, str, tuple))}
        groups.append(ParameterGroup(settings=settings, layers=[layers.names[owner] for owner in owners]))
    return OptimizerInfo(kind=type(optimizer).__name__, groups=groups, source=made_in(optimizer))


def _parameters(optimizer: Optimizer) -> list[Any]:  # Any: torch does not type its groups
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
