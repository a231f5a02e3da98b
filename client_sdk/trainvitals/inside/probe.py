"""The few examples that a network is shown again and again, kept as it takes them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from trainvitals.preflight.batches import LABELS, Batch, first_of, map_tensors, size_of, tensors

MAX_BYTES: Final = 16 * 1024 * 1024  # of all that is kept
MAX_EXAMPLES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """``batch``: on the CPU, nobody else's. ``targets``: the class to ask for of each example; None: the one that the
    model gives most to."""

    batch: Batch
    examples: int
    targets: tuple[int, ...] | None = None


def read_probe(batch: Batch, *, examples: int, target: Any = None) -> Probe:  # Any: a class, or one for each
    """The first few examples of a batch, copied. Raises TypeError and ValueError for what is no batch of tensors, or
    is too large."""
    found = tensors(batch)
    if not found:
        raise TypeError(f"probe() takes a batch of tensors, as the model takes it, and was given a {_kind(batch)}")
    size = size_of(batch)
    if size is None:
        raise ValueError("the tensors of a probe have its examples along their first dimension, as many in each")
    if size < 1:
        raise ValueError("probe() was given a batch without examples")
    few = min(size, examples)
    while few > 1 and _bytes(batch) * few // size > MAX_BYTES:
        few -= 1
    if _bytes(batch) * few // size > MAX_BYTES:
        raise ValueError(f"one example takes more than {MAX_BYTES // 2**20} MB: give a smaller one to probe()")
    kept = map_tensors(first_of(batch, few), lambda tensor: tensor.detach().to("cpu", copy=True).contiguous())
    return Probe(batch=kept, examples=few, targets=_targets(target, few))


def _targets(target: Any, examples: int) -> tuple[int, ...] | None:
    if target is None:
        return None
    given = target.tolist() if isinstance(target, Tensor) else target
    if isinstance(given, Sequence) and not isinstance(given, str):
        classes = [int(one) for one in given[:examples]]
        if len(classes) < examples:
            raise ValueError(f"target has {len(classes)} classes for {examples} examples: give one, or one for each")
    else:
        classes = [int(given)] * examples
    if min(classes) < 0:
        raise ValueError("target: classes count from 0")
    return tuple(classes)


def fitted(probe: Probe, model: nn.Module) -> Probe:
    """The probe as the model's ``forward`` takes it: of (inputs, targets), as loaders give them, the inputs, and of a
    mapping not the labels, where the model does not take these. The targets then say which class to ask for."""
    batch = probe.batch
    if isinstance(batch, Mapping):
        labels = [name for name in LABELS if name in batch]
        if not labels or _takes(model, (), dict(batch)):
            return probe
        inputs = {name: part for name, part in batch.items() if name not in labels}
        return Probe(batch=inputs, examples=probe.examples, targets=probe.targets or _classes(batch[labels[0]]))
    if isinstance(batch, (list, tuple)) and len(batch) == 2 and not _takes(model, tuple(batch), {}):
        return Probe(batch=batch[0], examples=probe.examples, targets=probe.targets or _classes(batch[1]))
    return probe


def passed(model: nn.Module, batch: Batch) -> Any:  # Any: whatever the model answers
    """The model's answer."""
    if isinstance(batch, Mapping):
        return model(**batch)
    return model(*batch) if isinstance(batch, (list, tuple)) else model(batch)


def moved(batch: Batch, model: nn.Module) -> Batch:
    """A copy on the model's device, of its precision where the batch is of floating point."""
    home = next((one for one in model.parameters()), None)
    if home is None:
        return map_tensors(batch, Tensor.clone)

    def there(tensor: Tensor) -> Tensor:
        dtype = home.dtype if tensor.is_floating_point() and home.is_floating_point() else tensor.dtype
        return tensor.to(device=home.device, dtype=dtype, copy=True)

    return map_tensors(batch, there)


def _takes(model: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> bool:
    forward: Callable[..., Any] = model.forward
    try:
        inspect.signature(forward).bind(*given, **named)
    except TypeError:
        return False
    except ValueError:  # one that has no signature
        return True
    return True


def _classes(targets: object) -> tuple[int, ...] | None:
    """Whole numbers, one for each example; None where the targets are something else."""
    if not isinstance(targets, Tensor) or targets.dim() != 1 or targets.dtype == torch.bool:
        return None
    if targets.is_floating_point() or targets.is_complex() or bool((targets < 0).any()):
        return None
    return tuple(int(one) for one in targets.tolist())


def _bytes(batch: Batch) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors(batch))


def _kind(thing: object) -> str:
    return f"{type(thing).__name__}" + (": give it one batch of the loader" if hasattr(thing, "__next__") else "")
