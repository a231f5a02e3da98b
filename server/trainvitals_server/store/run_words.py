"""Settings and tags of runs as rows of their own, by which runs are searched, sorted and grouped."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trainvitals_server.store import tables
from trainvitals_server.store.tables import as_kept

MOST_SETTINGS: Final = 1000  # of a run
MOST_CHARACTERS: Final = 300  # of a name, and of a value
_PARTS: Final = re.compile(r"[./]")


def forget_words(connection: Connection, run_number: int, table: sa.Table) -> None:
    """Of a run that had some before."""
    connection.execute(sa.delete(table).where(table.c.run_id == run_number))


def keep_settings(connection: Connection, run_number: int, config: Mapping[str, Any]) -> None:  # Any: the user's own
    """Keep the settings of a run that has none kept."""
    table = tables.run_setting
    told: dict[str, str] = {}
    for name, value in flat(config):
        if len(told) < MOST_SETTINGS:
            told.setdefault(_short(name), _short(str(value)))
    rows = [
        {
            "run_id": run_number,
            "name": name,
            "leaf": leaf(name),
            "text": text,
            "word": text.lower(),
            "number": finite(text),
        }
        for name, text in told.items()
    ]
    if rows:
        connection.execute(sa.insert(table), rows)


def keep_tags(connection: Connection, run_number: int, tags: Sequence[str]) -> None:
    """Keep the tags of a run that has none kept."""
    table = tables.run_tag
    words = sorted({as_kept(tag).lower() for tag in tags})
    if words:
        connection.execute(sa.insert(table), [{"run_id": run_number, "word": word} for word in words])


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:  # Any: the user's own
    """Nested settings as ("optimizer.lr", 0.001)."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def leaf(name: str) -> str:
    """The last part of a setting's name."""
    return _PARTS.split(name.rstrip("./"))[-1] or name


def finite(text: str) -> float | None:
    """The number that a text is, if it is one."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def searchable(*, name: str, project: str, group: str | None, tags: Sequence[str], memo: str) -> str:
    """What free words are looked for in."""
    return as_kept("\n".join((name, project, group or "", *tags, memo)).lower())


def _short(text: str) -> str:
    return as_kept(text[:MOST_CHARACTERS])
