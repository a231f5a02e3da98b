"""Reads text of strangers no further than memory bears it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final, TextIO

from trainvitals.importing.errors import CannotImport

LONGEST_LINE: Final = 8 * 1000**2  # characters: 4,096 metrics with names of 512 take a quarter


def lines(path: Path, file: TextIO) -> Iterator[str]:
    """The lines of a file. Raises CannotImport at one that is too long."""
    for number, line in enumerate(iter(partial(file.readline, LONGEST_LINE + 1), ""), 1):
        if len(line) > LONGEST_LINE:
            what = f"it is longer than {LONGEST_LINE:,} characters: put each row into a line of its own"
            raise CannotImport(path, what, place=f"line {number:,}")
        yield line


def beginning_of(path: Path, most: int) -> str:
    """The first characters of a file, whatever their encoding."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(most)
