"""What may be chosen about watching."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """The keywords of ``Run.watch``, where they are explained."""

    every: int | None = None
    budget: float | None = None
    dense: int | None = None
    include: Sequence[str] = ("*",)
    exclude: Sequence[str] = ()
    attention: bool = False


def read_options(  # Any: whatever people give
    *, every: Any, budget: Any, dense: Any, include: Any, exclude: Any, attention: Any
) -> WatchOptions:
    """The options, whole numbers of NumPy and one pattern alone included. Raises TypeError, ValueError."""
    return WatchOptions(
        every=_whole("every", every, least=1, means="sample every step (1) or fewer"),
        budget=_share(budget),
        dense=_whole("dense", dense, least=0, means="it is how many of the first steps are sampled"),
        include=_patterns("include", include),
        exclude=_patterns("exclude", exclude),
        attention=bool(attention),
    )


def check_models(models: Any) -> None:  # Any: whatever people give
    """Raise TypeError unless it is a module, or several as a sequence or a mapping; ValueError if there is none, or an
    optimizer in its place."""
    several = models.values() if isinstance(models, Mapping) else models if isinstance(models, (list, tuple)) else None
    if several is not None and not several:
        raise ValueError("watch(model, optimizer): there is no model in what was given")
    for one in (models,) if several is None else several:
        if hasattr(one, "param_groups"):
            raise ValueError(f"watch(model, optimizer): the model comes first, and this is a {type(one).__name__}")
        if not hasattr(type(one), "named_modules"):
            raise TypeError(
                "watch(model, optimizer) takes a torch.nn.Module, or several as a list or a mapping, and was given a "
                f"{type(one).__name__}" + (": give it the model itself" if hasattr(one, "__next__") else "")
            )


def _whole(name: str, value: Any, *, least: int, means: str) -> int | None:  # Any: whatever people give
    if value is None:
        return None
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}={value!r} is no whole number: {means}") from None
    if number < least:
        raise ValueError(f"{name}={value}: {means}")
    return number


def _share(value: Any) -> float | None:  # Any: whatever people give
    means = "it is a share of the training's time, such as 0.02"
    if value is None:
        return None
    try:
        share = float(operator.pos(value))  # text can be read as a number, and was not meant as one
    except (TypeError, ValueError):
        raise TypeError(f"budget={value!r} is no number: {means}") from None
    if not 0 < share <= 1:
        raise ValueError(f"budget={value}: {means}")
    return share


def _patterns(name: str, value: Any) -> tuple[str, ...]:  # Any: whatever people give
    if isinstance(value, str):
        return (value,)
    patterns = tuple(value) if isinstance(value, (Sequence, set, frozenset)) else (value,)
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise TypeError(f'{name}={value!r}: it takes shell patterns of layers\' names, like ["blocks.*.mlp"]')
    return patterns
