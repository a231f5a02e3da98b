"""The modules that a user calls, and the models that are in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

Models = nn.Module | Sequence[nn.Module] | Mapping[str, nn.Module]


def named_roots(models: Models) -> dict[str, nn.Module]:
    """What was given to ``watch``, by the prefix of its layers' names: none for one model, the key for those of a
    mapping, the class name for those of a sequence: "Generator", "Linear", "Linear_2"."""
    if isinstance(models, nn.Module):
        return {"": models}
    if isinstance(models, Mapping):
        return dict(models)
    kinds = [type(inner(model)).__name__ for model in models]
    earlier = [kinds[:index].count(kind) for index, kind in enumerate(kinds)]
    names = [f"{kind}_{count + 1}" if count else kind for kind, count in zip(kinds, earlier, strict=True)]
    return dict(zip(names, models, strict=True))


def inner(model: nn.Module) -> nn.Module:
    """The model without what wraps it: torch.compile, DataParallel, DistributedDataParallel."""
    while True:
        if isinstance(model, (DataParallel, DistributedDataParallel)):
            model = model.module
        elif isinstance(compiled := getattr(model, "_orig_mod", None), nn.Module):
            model = compiled
        else:
            return model


def is_compiled(model: nn.Module) -> bool:
    """Whether all of it was compiled, so that hooks on its layers do not run."""
    whole = inner(model)
    compiled = whole is not model and type(model).__name__ == "OptimizedModule"
    return compiled or any(getattr(module, "_compiled_call_impl", None) is not None for module in (model, whole))


def compiled_parts(model: nn.Module) -> list[str]:
    """Names of the modules within a model that were compiled by themselves, the outermost of each."""
    found: list[str] = []
    for path, module in inner(model).named_modules():
        is_within = any(f"{path}.".startswith(f"{part}.") for part in found)
        if path and not is_within and is_compiled(module):
            found.append(path)
    return found
