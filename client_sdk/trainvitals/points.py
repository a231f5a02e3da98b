"""What a metric point may be."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch import Tensor

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


class Names:
    """The names of a run's metrics so far."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def has_room_for(self, name: str) -> bool:
        """Whether the name is known, or now is; False once there are as many as a run may have."""
        if name not in self._known and len(self._known) >= MOST_NAMES:
            return False
        self._known.add(name)
        return True


def checked_value(value: Any) -> float | Tensor:  # Any: what people log
    """A number, or a copy of a one-element tensor, which is read later. Raises TypeError, ValueError, OverflowError."""
    if isinstance(value, (int, float)):
        return float(value)
    if hasattr(value, "detach") and hasattr(value, "numel"):
        if value.numel() != 1:
            raise TypeError(f"it has {value.numel()} values: log a mean, or one name for each")
        if value.is_complex():
            raise TypeError("it is complex: log its absolute value")
        # a copy, because the training may go on in place (loss += …)
        copy: Tensor = value.detach().clone()
        return copy
    if hasattr(value, "__float__"):
        return float(value)
    raise TypeError(f"it is a {type(value).__name__}: log numbers or one-element tensors")
