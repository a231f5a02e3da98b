"""Functions of PyTorch's that are replaced for a while, and put back."""

from __future__ import annotations

from types import CellType, ModuleType
from typing import Any, Final

Owner = ModuleType | type | CellType

_INHERITED: Final = object()


class Replaced:
    """What was put in the place of what."""

    def __init__(self) -> None:
        self._entries: list[tuple[Owner, str, object, object]] = []

    def put(self, owner: Owner, name: str, ours: Any) -> None:  # Any: a function
        """Replace what ``owner`` has under this name."""
        self._entries.append((owner, name, ours, _own(owner, name)))
        setattr(owner, name, ours)

    def undo(self) -> None:
        """All is as it was, but where somebody has put theirs around ours."""
        while self._entries:
            owner, name, ours, theirs = self._entries.pop()
            if _own(owner, name) is not ours:
                continue
            if theirs is _INHERITED:
                delattr(owner, name)
            else:
                setattr(owner, name, theirs)


def _own(owner: Owner, name: str) -> object:
    return getattr(owner, name) if isinstance(owner, CellType) else vars(owner).get(name, _INHERITED)
