"""Why something cannot be imported, in words for the terminal."""

from __future__ import annotations

from pathlib import Path

from trainvitals.plain import one_line


class CannotImport(ValueError):
    """What is wrong with which file, at which ``place`` in it ("line 7"), and what to do about it."""

    def __init__(self, path: Path, what: str, *, place: str = "") -> None:
        super().__init__(one_line(f"{path}, {place}: {what}" if place else f"{path}: {what}"))
        self.path = path
        self.place = place
