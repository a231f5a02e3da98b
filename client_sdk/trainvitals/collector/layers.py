"""Which layers of a model are watched, and which parameters belong to which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from torch import nn
from torch.optim import Optimizer

from trainvitals.plain import plain
from trainvitals.wire.messages import LayerInfo, ModelInfo, OptimizerInfo, ParameterGroup

MAX_NAME: Final = 512  # the wire's limit
MAX_LAYERS: Final = 20_000  # the wire's limit


class NothingToWatch(ValueError):
    """The model has no layer that could be watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """The watched layers in the order of ``named_modules()``; ``owners[i]`` is the layer of ``parameters[i]``.

    A layer is a module with parameters of its own, or without children (an activation). A parameter shared by several
    belongs to the first.
    """

    names: list[str]
    modules: list[nn.Module]
    parameters: list[nn.Parameter]
    owners: list[int]


def find_layers(model: nn.Module) -> Layers:
    """The layers of a model. Raises NothingToWatch."""
    names: list[str] = []
    modules: list[nn.Module] = []
    parameters: list[nn.Parameter] = []
    owners: list[int] = []
    seen: set[int] = set()
    for name, module in model.named_modules():
        own = list(module.parameters(recurse=False))
        if (not own and any(True for _ in module.children())) or len(names) == MAX_LAYERS:
            continue
        for parameter in own:
            if id(parameter) not in seen and parameter.numel():
                seen.add(id(parameter))
                parameters.append(parameter)
                owners.append(len(names))
        names.append((name or type(module).__name__)[:MAX_NAME])
        modules.append(module)
    if not parameters:
        raise NothingToWatch(f"{type(model).__name__} has no parameters: build its layers before you watch it")
    return Layers(names=names, modules=modules, parameters=parameters, owners=owners)


def describe(layers: Layers, optimizers: Sequence[Optimizer]) -> ModelInfo:
    """What the server is told of the model."""
    sizes, trainable = [0] * len(layers.names), [0] * len(layers.names)
    optimized = {id(parameter) for optimizer in optimizers for parameter in _parameters(optimizer)}
    in_optimizer = [True] * len(layers.names)
    for parameter, owner in zip(layers.parameters, layers.owners, strict=True):
        sizes[owner] += parameter.numel()
        trainable[owner] += parameter.numel() if parameter.requires_grad else 0
        in_optimizer[owner] &= id(parameter) in optimized
    infos = [
        LayerInfo(
            name=name,
            kind=type(module).__name__,
            parameters=sizes[index],
            trainable=trainable[index],
            in_optimizer=in_optimizer[index],
            source=_source(module),
        )
        for index, (name, module) in enumerate(zip(layers.names, layers.modules, strict=True))
    ]
    return ModelInfo(layers=infos, optimizers=[_describe_optimizer(layers, optimizer) for optimizer in optimizers])


def _describe_optimizer(layers: Layers, optimizer: Optimizer) -> OptimizerInfo:
    owner_of = {id(parameter): owner for parameter, owner in zip(layers.parameters, layers.owners, strict=True)}
    groups = []
    for group in optimizer.param_groups:
        owners = sorted({owner_of[id(parameter)] for parameter in group["params"] if id(parameter) in owner_of})
        settings = {key: plain(value) for key, value in group.items() if isinstance(value, (int, float, str))}
        groups.append(ParameterGroup(settings=settings, layers=[layers.names[owner] for owner in owners]))
    return OptimizerInfo(kind=type(optimizer).__name__, groups=groups)


def _parameters(optimizer: Optimizer) -> list[Any]:  # Any: torch does not type its groups
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _source(module: nn.Module) -> str | None:
    code = getattr(getattr(type(module), "forward", None), "__code__", None)
    if code is None or type(module).__module__.startswith("torch."):
        return None
    return f"{code.co_filename}:{code.co_firstlineno}"
