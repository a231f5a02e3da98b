"""Logs of one JSON object in each line."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

from trainvitals.importing.errors import CannotImport
from trainvitals.importing.imported import Imported
from trainvitals.importing.numbers import shown
from trainvitals.importing.rows import gather
from trainvitals.importing.table import Row
from trainvitals.importing.texts import lines
from trainvitals.points import MAX_DEPTH


def read_json_lines(path: Path) -> Imported:
    """What lies in objects within is called "outer/inner". Raises CannotImport, OSError."""
    return Imported(source="JSON lines", gathered=gather(path, lambda: _rows(path)))


def flat(cells: Mapping[str, object], *, prefix: str = "", depth: int = MAX_DEPTH) -> Iterator[tuple[str, object]]:
    """The values of objects within objects, by name."""
    for name, cell in cells.items():
        if isinstance(cell, dict) and depth:
            yield from flat(cell, prefix=f"{prefix}{name}/", depth=depth - 1)
        else:
            yield f"{prefix}{name}", cell


def _rows(path: Path) -> Generator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(lines(path, file), 1):
            if line.strip():
                yield Row(number, dict(flat(_object(path, number, line))))


def _object(path: Path, number: int, line: str) -> dict[str, object]:
    place = f"line {number:,}"
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        what = f"no whole JSON object ({error}): mend or delete the line; if it is the last, it was being written"
        raise CannotImport(path, what, place=place) from None
    if not isinstance(found, dict):
        raise CannotImport(path, f"{shown(found)} is no JSON object: write one to a line", place=place)
    return found
