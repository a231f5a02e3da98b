"""What tables and logs are made of: rows of cells by name."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import NamedTuple


class Row(NamedTuple):
    """The cells of a row by name, and where it stands, from 1."""

    number: int
    cells: Mapping[str, object]


Rows = Callable[[], Generator[Row]]
