"""What a metric point may be."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch import Tensor

Metrics = Mapping[str, Any]  # Any: a number, a one-element tensor, or a mapping of them; what is none is left out

MAX_DEPTH: Final = 16  # of mappings in mappings
MAX_NAME: Final = 512  # the wire's limit
MAX_STEP: Final = 2**53  # the wire's limit
MOST_NAMES: Final = 4096  # a name per step or image would grow without end, here and on the server


def checked_step(step: Any) -> int:  # Any: whatever counts as an index, NumPy's integers included
    """A step. Raises TypeError, ValueError."""
    number = operator.index(step)
    if not 0 <= number <= MAX_STEP:
        raise ValueError(f"step {number}: steps count from 0")
    return number


def checked_name(name: object) -> str:
    """A metric's name. Raises TypeError, ValueError."""
    if not isinstance(name, str):
        raise TypeError(f"names are text, this is a {type(name).__name__}")
    if not 0 < len(name) <= MAX_NAME or "\0" in name:
        raise ValueError(f"names have 1 to {MAX_NAME} characters, none of them NUL")
    name.encode()  # raises UnicodeEncodeError, a ValueError, for lone surrogates
    return name


class Intake:
    """Takes what people log; what is no metric is left out, and ``say`` told, once for each kind of thing."""

    def __init__(self, *, say: Callable[..., None]) -> None:
        self._say = say
        self._known: set[str] = set()
        self._newest: dict[str, int] = {}  # step of what is logged with one

    def take(self, metrics: Metrics) -> dict[str, float | Tensor]:
        """What is there to be recorded, mappings within flattened."""
        if not hasattr(metrics, "items"):
            raise TypeError(
                f'it takes numbers by name, like {{"loss": loss}}, and was given a {type(metrics).__name__}'
            )
        found: dict[str, float | Tensor] = {}
        for name, value in metrics.items():
            if name in self._known:  # the short way, which most go in every step
                try:
                    found[name] = checked_value(value)
                    continue
                except (TypeError, ValueError, OverflowError):
                    pass  # a mapping, or what is told of below
            pairs = (self._checked(*pair) for pair in _flat({name: value}, depth=MAX_DEPTH))
            found.update(filter(None, pairs))
        return found

    def place(self, names: Iterable[str], *, step: int) -> None:
        """These have come for a step that the script names."""
        for name in names:
            newest = self._newest.setdefault(name, step)
            if step >= newest:
                self._newest[name] = step
                continue
            self._say(
                f"{name!r} came for step {newest:,} and now for step {step:,}: of a step that comes again the later "
                "value takes the place of the earlier one. Count steps on over all epochs, or leave step= out",
                once="steps go back",
            )

    def _checked(self, name: object, value: object) -> tuple[str, float | Tensor] | None:
        try:
            checked = checked_name(name), checked_value(value)
        except TypeError as error:
            self._say(f"metric {name!r} is left out: {error}", once=f"metrics: {error}")
            return None
        except (ValueError, OverflowError) as error:
            self._say(f"metric {name!r} is left out: {error}", once=f"metric {name!r}")
            return None
        if self._has_room_for(checked[0]):
            return checked
        self._say(
            f"metric {name!r} and all other new names are left out: a run has at most {MOST_NAMES:,}. Log under "
            "fewer names, without steps or batch numbers in them",
            once="too many names",
        )
        return None

    def _has_room_for(self, name: str) -> bool:
        """Whether the name is known, or now is; False once there are as many as a run may have."""
        if name not in self._known and len(self._known) >= MOST_NAMES:
            return False
        self._known.add(name)
        return True


def _flat(metrics: Mapping[Any, Any], *, depth: int, prefix: str = "") -> Iterator[tuple[Any, Any]]:
    """Any: whatever people log; names that are no text are told of by who checks them."""
    for name, value in metrics.items():
        whole = f"{prefix}{name}" if prefix else name
        if isinstance(value, Mapping) and depth:
            yield from _flat(value, depth=depth - 1, prefix=f"{whole}/")
        else:
            yield whole, value


def checked_value(value: Any) -> float | Tensor:  # Any: what people log
    """A number; of a tensor with one element that lies on a device a copy, which is read later. Raises TypeError,
    ValueError, OverflowError."""
    if isinstance(value, (int, float)):
        return float(value)
    if getattr(value, "is_cpu", False) and value.numel() == 1 and not value.is_complex():
        return float(value.item())  # a tensor whose number is there at once
    if hasattr(type(value), "detach") and hasattr(type(value), "numel"):
        if value.numel() != 1:
            raise TypeError(f"it has {value.numel()} values: log a mean, or one name for each")
        if value.is_complex():
            raise TypeError("it is complex: log its absolute value")
        # a copy, because the training may go on in place (loss += …)
        copy: Tensor = value.detach().clone()
        return copy
    if hasattr(value, "__float__"):
        return float(value)
    raise TypeError(f"its type is {type(value).__name__}: log numbers or one-element tensors")
