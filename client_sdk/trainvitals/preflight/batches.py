"""Batches of any shape: tensors in tuples, lists and mappings, changed without touching the user's own."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

import torch
from torch import Tensor

Batch = Any  # whatever the model and the loss take
LABELS: Final = ("labels", "label", "targets", "target")  # what a batch that is one mapping calls its targets
CONTENT: Final[
    tuple[Callable[[Tensor], bool], ...]
] = (  # what inputs consist of: the first kind of which there are any
    lambda tensor: tensor.is_floating_point() or tensor.is_complex(),
    lambda tensor: tensor.dtype.itemsize > 1,
    lambda tensor: tensor.dtype != torch.bool,
    lambda tensor: True,
)
KEPT: Final = ("mask", "length", "size", "index")  # parts of an input that say which values count, not values


def map_tensors(tree: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """The same structure with every tensor changed; what is no tensor stays."""
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, Mapping):
        return _mapping(tree, {key: map_tensors(part, change) for key, part in tree.items()})
    if isinstance(tree, (list, tuple)):
        parts = [map_tensors(part, change) for part in tree]
        return _sequence(tree, parts)
    return tree


def tensors(tree: Batch) -> list[Tensor]:
    """Every tensor in the structure, in order."""
    if isinstance(tree, Tensor):
        return [tree]
    parts = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, (list, tuple)) else ()
    return [tensor for part in parts for tensor in tensors(part)]


def size_of(batch: Batch) -> int | None:
    """How many samples lie along the first dimension of every tensor; None where they do not agree."""
    sizes = {tensor.shape[0] for tensor in tensors(batch) if tensor.dim()}
    return sizes.pop() if len(sizes) == 1 else None


def first_of(batch: Batch, samples: int) -> Batch:
    """The first few samples; the whole batch where it cannot be cut."""
    size = size_of(batch)
    if size is None or samples >= size:
        return batch
    return map_tensors(batch, lambda tensor: tensor[:samples] if tensor.dim() else tensor)


def is_mapping(batch: Batch) -> bool:
    """Whether the batch names its parts."""
    return isinstance(batch, Mapping)


def parts_of(batch: Batch) -> tuple[Any, Any]:
    """Inputs and targets; of a mapping the targets are what is called so, of anything but a pair they are None."""
    if isinstance(batch, Mapping):
        named = next((name for name in LABELS if name in batch), None)
        return {key: part for key, part in batch.items() if key != named}, batch.get(named)
    if isinstance(batch, (list, tuple)) and len(batch) == 2:
        return batch[0], batch[1]
    return batch, None


def with_inputs(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """The batch with its inputs changed, its targets as they are."""
    if isinstance(batch, Mapping):
        made = {key: part if key in LABELS else map_tensors(part, change) for key, part in batch.items()}
        return _mapping(batch, made)
    if isinstance(batch, (list, tuple)) and len(batch) == 2:
        return _sequence(batch, [map_tensors(batch[0], change), batch[1]])
    return map_tensors(batch, change)


def with_zeroed_inputs(batch: Batch) -> Batch:
    """Inputs without content: numbers are zero; where there are only whole numbers (tokens), those, where these are
    bytes alone (pictures), those, and where there is but true and false, that. Masks, lengths and indices beside them
    stay."""
    given, _ = parts_of(batch)
    inputs = tensors(
        {name: part for name, part in given.items() if not _is_kept(name)} if isinstance(given, Mapping) else given
    )
    is_content = next((kind for kind in CONTENT if any(map(kind, inputs))), None)

    def zeroed(tensor: Tensor) -> Tensor:
        return tensor.new_zeros(tensor.shape) if is_content is not None and is_content(tensor) else tensor

    if not isinstance(batch, Mapping):
        return with_inputs(batch, zeroed)
    changed = with_inputs(batch, zeroed)
    for name in batch:
        if _is_kept(name):
            changed[name] = batch[name]
    return changed


def _is_kept(name: object) -> bool:
    return any(word in str(name).lower() for word in KEPT)


def _sequence(tree: Any, parts: list[Any]) -> Any:
    return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)


def _mapping(tree: Mapping[Any, Any], made: dict[Any, Any]) -> Mapping[Any, Any]:
    """Of the same type where that can be had: some give their parts as attributes, too."""
    if type(tree) is dict or not isinstance(tree, MutableMapping):
        return made
    with contextlib.suppress(Exception):  # answers of some libraries refuse to be changed
        like = copy.copy(tree)
        like.update(made)
        return like
    return made
