"""What may be chosen about watching."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence, ValuesView
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
        every=whole("every", every, least=1, means="sample every step (1) or fewer"),
        budget=_share(budget),
        dense=whole("dense", dense, least=0, means="it is how many of the first steps are sampled"),
        include=_patterns("include", include, default=("*",)),
        exclude=_patterns("exclude", exclude, default=()),
        attention=bool(attention),
    )


def check_models(models: Any) -> Any:  # Any: whatever people give
    """The module, or several as a list or a mapping. Raises TypeError for what is none, ValueError if there is none, or
    an optimizer in its place."""
    if _is_module(models):
        return models
    several = list(models) if isinstance(models, (Sequence, ValuesView)) and not isinstance(models, str) else models
    given = list(several.values()) if isinstance(several, Mapping) else several
    if isinstance(given, list) and not given:
        raise ValueError("watch(model, optimizer): there is no model in what was given")
    for one in given if isinstance(given, list) else [given]:
        if _is_module(one):
            continue
        if hasattr(one, "param_groups"):
            raise ValueError(f"watch(model, optimizer): the model comes first, and this is {type(one).__name__}")
        raise TypeError(
            "watch(model, optimizer) takes a torch.nn.Module, or several as a list or a mapping, and was given a "
            f"{type(one).__name__}" + (": give it the model itself" if hasattr(one, "__next__") else "")
        )
    return several


def _is_module(thing: object) -> bool:
    return hasattr(type(thing), "named_modules")


def whole(name: str, value: Any, *, least: int, means: str) -> int | None:  # Any: whatever people give
    """A whole number of NumPy, too, or a float without a fraction. Raises TypeError, ValueError."""
    if value is None:
        return None
    try:
        number = int(value) if isinstance(value, float) and value.is_integer() else operator.index(value)
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


def _patterns(name: str, value: Any, *, default: tuple[str, ...]) -> tuple[str, ...]:  # Any: whatever people give
    if value is None:
        return default
    patterns = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise TypeError(f'{name}={value!r}: it takes shell patterns of layers\' names, like ["blocks.*.mlp"]')
    return patterns
