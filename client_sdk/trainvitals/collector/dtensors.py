"""Parameters of which ranks hold parts: whose it is to tell of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from torch import Tensor, nn

FSDP1: Final = "FullyShardedDataParallel"  # a class, which FSDP2 is not


def is_sharded(parameter: Tensor) -> bool:
    """Whether this process holds only a part of it."""
    return _is_dtensor(parameter) and not all(_copies(parameter))


def is_ours_to_tell(parameter: Tensor, *, leads: bool) -> bool:
    """Whether this rank is the one that tells of the values that it holds: of each part of a DTensor one rank does, the
    first of those that have it; of any other tensor the rank that ``leads``."""
    if not _is_dtensor(parameter):
        return leads
    mesh: Any = parameter.device_mesh  # type: ignore[attr-defined]  # not every torch has the class
    coordinate = mesh.get_coordinate()
    if coordinate is None:
        return False
    return not any(place for place, is_copy in zip(coordinate, _copies(parameter), strict=True) if is_copy)


def flattened(models: Iterable[nn.Module]) -> set[int]:
    """Ids of the parameters that FSDP1 has put into one, of which each rank holds a piece that knows no layers."""
    return {
        id(parameter)
        for model in models
        for module in model.modules()
        if _is_fsdp1(module)
        for parameter in module.parameters()
    }


def _is_fsdp1(module: nn.Module) -> bool:
    is_one = any(kind.__name__ == FSDP1 for kind in type(module).__mro__)
    return is_one and getattr(getattr(module, "sharding_strategy", None), "name", "") != "NO_SHARD"


def _is_dtensor(parameter: Tensor) -> bool:
    return hasattr(parameter, "_local_tensor")


def _copies(parameter: Tensor) -> list[bool]:
    """Of each dimension of its mesh, whether the ranks along it have the same."""
    return [placement.is_replicate() for placement in parameter.placements]  # type: ignore[attr-defined]
