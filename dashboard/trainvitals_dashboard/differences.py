"""In which settings several runs differ: those of the script, of optimizers, of the code and of the machine."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from trainvitals.wire.answers import RunDetail

CODE: Final = ("revision", "branch", "diff", "command")
NOT_COMPARED: Final = ("pid", "error", "patch")  # they differ, and mean nothing, or too much
MOST_CHARACTERS: Final = 300  # of a value
Told = Iterator[tuple[str, Any]]  # Any: settings are the user's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting that differs. ``words``: as each run has it, in the order of the runs; None where it has none.
    ``numbers``: the same as numbers; empty where one of them is none."""

    name: str
    words: list[str | None]
    numbers: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Settings of one kind that differ, of ``total`` that any run has."""

    name: str
    settings: list[Setting]
    total: int


def differing(details: Sequence[RunDetail]) -> list[Kind]:
    """Kind by kind, in the order in which settings were first told; kinds in which nothing differs are among them."""
    kinds: dict[str, Callable[[RunDetail], Told]] = {
        "Settings": _settings,
        "Optimizer": _optimizers,
        "Code": _code,
        "Environment": _environment,
    }
    return [_kind(name, [dict(told(detail)) for detail in details]) for name, told in kinds.items()]


def numeric(kinds: Sequence[Kind]) -> list[Setting]:
    """Those settings that are a finite number in every run. An optimizer's that only repeats one of the script's, as
    its learning rate mostly does, is left out."""
    found: dict[tuple[float, ...], Setting] = {}
    for kind in kinds:
        for setting in kind.settings:
            if setting.numbers:
                found.setdefault(tuple(setting.numbers), setting)
    return list(found.values())


def _kind(name: str, told: Sequence[Mapping[str, Any]]) -> Kind:
    every = list(dict.fromkeys(key for settings in told for key in settings))
    rows = [(key, [settings.get(key, ...) for settings in told]) for key in every]
    return Kind(name=name, settings=[_setting(key, row) for key, row in rows if _differ(row)], total=len(every))


def _differ(values: Sequence[Any]) -> bool:
    first = values[0]
    return any(value is not first and value != first and _word(value) != _word(first) for value in values[1:])


def _setting(name: str, values: Sequence[Any]) -> Setting:
    are_numbers = all(_is_number(value) for value in values)
    return Setting(
        name=name,
        words=[_word(value) for value in values],
        numbers=[float(value) for value in values] if are_numbers else [],
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _word(value: Any) -> str | None:
    """None is nothing told; NaN is the same as NaN, a list as the same tuple."""
    if value is ...:
        return None
    text = json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, (Mapping, list, tuple)) else value
    text = str(text)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]} …"


def _settings(detail: RunDetail) -> Told:
    yield from _flat(detail.config)
    if detail.planned_steps is not None:
        yield "planned steps", detail.planned_steps
    yield "ranks", detail.summary.ranks


def _flat(settings: Mapping[str, Any], *, prefix: str = "") -> Told:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, prefix=f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _optimizers(detail: RunDetail) -> Told:
    for place, optimizer in enumerate(detail.optimizers):
        which = "" if len(detail.optimizers) == 1 else f"{place}."
        yield f"{which}optimizer", optimizer.kind
        for index, group in enumerate(optimizer.groups):
            of_group = "" if len(optimizer.groups) == 1 else f"group {index}."
            for name, value in group.settings.items():
                yield f"{which}{of_group}{name}", value


def _code(detail: RunDetail) -> Told:
    for name in CODE:
        value = detail.environment.get(name)
        if value is not None:
            yield name, shlex.join(map(str, value)) if name == "command" and isinstance(value, list) else value


def _environment(detail: RunDetail) -> Told:
    kept = {name: value for name, value in detail.environment.items() if name not in (*CODE, *NOT_COMPARED)}
    yield from ((name, value) for name, value in _flat(kept) if value not in (None, {}))
