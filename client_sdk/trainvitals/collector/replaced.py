"""Functions of PyTorch's that are replaced for a while, and put back."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final

_INHERITED: Final = object()


class Replaced:
    """What was put in the place of what."""

    def __init__(self) -> None:
        self._entries: list[tuple[ModuleType | type, str, object, object]] = []

    def put(self, owner: ModuleType | type, name: str, ours: Any) -> None:  # Any: a function
        """Replace what ``owner`` has under this name."""
        self._entries.append((owner, name, ours, vars(owner).get(name, _INHERITED)))
        setattr(owner, name, ours)

    def undo(self) -> None:
        """All is as it was, but where somebody has put theirs around ours."""
        while self._entries:
            owner, name, ours, theirs = self._entries.pop()
            if vars(owner).get(name) is not ours:
                continue
            if theirs is _INHERITED:
                delattr(owner, name)
            else:
                setattr(owner, name, theirs)
