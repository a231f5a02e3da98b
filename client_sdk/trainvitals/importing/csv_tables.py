"""Tables in text: Lightning's metrics.csv, Keras's CSVLogger, W&B's export of a chart, and all that is like them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Final

from trainvitals.importing.errors import CannotImport
from trainvitals.importing.gathering import listed
from trainvitals.importing.imported import Imported
from trainvitals.importing.numbers import NoNumber, number_of, shown
from trainvitals.importing.rows import gather
from trainvitals.importing.table import Row
from trainvitals.importing.texts import lines

DELIMITERS: Final = ",;\t"
TWINS: Final = ("__MIN", "__MAX")  # W&B's, of what it drew as one point
BETWEEN: Final = " - "  # run and metric, in W&B's export


def read_csv(path: Path) -> Imported:
    """A table whose first line has the names. Raises CannotImport, OSError."""
    delimiter, header = _header(path)
    of_wandb = _of_wandb(path, header)
    run, names = of_wandb or (None, {name: name for name in header if name})
    columns = [names.get(name) for name in header]
    gathered = gather(path, lambda: _rows(path, delimiter, columns))
    return Imported(source="W&B's export of a chart" if of_wandb else "CSV", gathered=gathered, name=run)


def _header(path: Path) -> tuple[str, list[str]]:
    """What stands between cells, and the columns' names."""
    delimiter = max(DELIMITERS, key=lambda one: _width(path, one))
    header = _names(path, delimiter)
    if not any(header):
        raise CannotImport(path, "it is empty: import it once something was logged")
    if all(map(_is_number, header)):
        raise CannotImport(path, "it has numbers where names should be: put the columns' names there", place="line 1")
    twice = [name for name, count in Counter(filter(None, header)).items() if count > 1]
    if twice:
        raise CannotImport(path, f"columns with the same name: {listed(twice)}. Rename or delete them", place="line 1")
    return delimiter, header


def _width(path: Path, delimiter: str) -> int:
    try:
        return len(_names(path, delimiter))
    except CannotImport:
        return 0


def _names(path: Path, delimiter: str) -> list[str]:
    """The cells of the first row that is not blank, which may go over several lines: a space stands for each end."""
    with closing(_cells(path, delimiter)) as rows:
        first = next((cells for _, cells in rows if any(map(str.strip, cells))), [])
    return [" ".join(cell.split()) for cell in first]


def _is_number(cell: str) -> bool:
    try:
        return number_of(cell) is not None or not cell
    except NoNumber:
        return False


def _of_wandb(path: Path, header: list[str]) -> tuple[str, dict[str, str]] | None:
    """The run's name, and column → metric, if W&B wrote the table."""
    written = {name for name in header if all(name + twin in header for twin in TWINS)}
    if not any(BETWEEN in name for name in written):
        return None
    pairs = {name: name.rsplit(BETWEEN, 1) for name in sorted(written, key=header.index) if BETWEEN in name}
    runs = list(dict.fromkeys(run for run, _ in pairs.values()))
    if len(runs) > 1:
        what = f"it holds {len(runs)} runs ({listed(runs)}): export one at a time, or delete the others' columns"
        raise CannotImport(path, what, place="line 1")
    metrics = {name: metric for name, (_, metric) in pairs.items() if metric != "_step"}
    others = {name: name for name in header if name and name not in pairs and not name.endswith(TWINS)}
    return runs[0], {**others, **metrics}


def _rows(path: Path, delimiter: str, columns: list[str | None]) -> Generator[Row]:
    rows = _cells(path, delimiter)
    next((cells for _, cells in rows if any(map(str.strip, cells))), None)  # the names
    for number, row in rows:
        if len(row) > len(columns):
            what = f"{len(row)} cells under {len(columns)} names: {shown(row[-1])} is one too many"
            raise CannotImport(path, f"{what}; mend or delete the line", place=f"line {number:,}")
        if any(row):
            yield Row(number, {name: cell for name, cell in zip(columns, row, strict=False) if name and cell})


def _cells(path: Path, delimiter: str) -> Generator[tuple[int, list[str]]]:
    """All rows, the names' too, and the line that each ends in."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(lines(path, file), delimiter=delimiter, strict=True)
        try:
            for row in reader:
                yield reader.line_num, row
        except csv.Error as error:
            what = f"it cannot be taken apart ({error}): mend or delete the line"
            raise CannotImport(path, what, place=f"line {reader.line_num:,}") from error
