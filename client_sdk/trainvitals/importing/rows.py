"""Rows of cells by name, as tables and logs have them, gathered into series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from trainvitals.importing.errors import CannotImport
from trainvitals.importing.gathering import Gathered
from trainvitals.importing.numbers import EPOCH, shown, step_name, step_of
from trainvitals.importing.stepping import Course, epoch_name, epoch_of, next_name
from trainvitals.importing.table import Row, Rows

FIRST_ROWS: Final = 100  # among these a row has the steps: a log may begin with what is no point
RUN_NAMES: Final = frozenset({"run", "run_id", "run_name", "runid", "runname"})


def gather(path: Path, rows: Rows, *, unit: str = "line") -> Gathered:
    """The points of all rows; ``rows`` begins anew whenever it is called, and ``unit`` is what numbers them. Steps are
    those of the first column that is called so and counts on through the run, else rows are counted from 0. Raises
    CannotImport."""
    with closing(rows()) as first:
        names = list(dict.fromkeys(name for row in islice(first, FIRST_ROWS) for name in row.cells))
    reading = _Reading(
        path=path,
        unit=unit,
        step_name=step_name(names),
        epoch_name=None if step_name(names) == EPOCH else epoch_name(names),
        run_names=[name for name in names if name.lower().replace(" ", "_") in RUN_NAMES],
    )
    first_name = reading.step_name
    reasons = ["no column is called step"] if first_name in (None, EPOCH) else []
    while True:
        gathered, course = _gathered(rows(), reading)
        name = reading.step_name
        if name is None:
            gathered.remark(f"{', and '.join(reasons)}: rows are counted instead")
            return gathered
        if name == EPOCH and gathered.crowded:
            reasons.append("epochs have several rows")
            following = None
        elif course.begins_anew:
            reasons.append(f"{name!r} begins anew time and again")
            with closing(rows()) as again:
                following = next_name(again, names, instead_of=name)
        else:
            if name != first_name:
                gathered.remark(f"{', and '.join(reasons)}: steps are those of {name!r} instead")
            return gathered
        reading = replace(reading, step_name=following)
        del gathered  # before as much is gathered again


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """How rows are read: which columns have the step, the epoch beside it, and the run."""

    path: Path
    unit: str
    step_name: str | None
    epoch_name: str | None
    run_names: Sequence[str]

    def refusal(self, row: Row, what: str) -> CannotImport:
        """That says at which row."""
        return CannotImport(self.path, what, place=f"{self.unit} {row.number:,}")


def _gathered(rows: Iterator[Row], reading: _Reading) -> tuple[Gathered, Course]:
    gathered, course = Gathered(), Course()
    epoch: float | None = None
    runs: dict[str, str] = {}
    without: list[int] = []
    name = reading.step_name
    for count, row in enumerate(rows):
        _check_run(row, reading, runs)
        if reading.epoch_name is not None:
            epoch = epoch_of(row.cells.get(reading.epoch_name), before=epoch)
        step = count if name is None else _step(row, name, reading)
        if step is None:
            without.append(row.number)
            continue
        course.go(step, epoch)
        for metric, cell in row.cells.items():
            if metric != name:
                gathered.take(metric, step, cell)
    if without:
        gathered.remark(f"rows without {name!r} are left out: {len(without):,}, first {reading.unit} {without[0]:,}")
    return gathered, course


def _step(row: Row, name: str, reading: _Reading) -> int | None:
    try:
        return step_of(row.cells.get(name))
    except ValueError as error:
        what = f"steps are whole and count from 0, and {name} {error}: mend it, or rename {name!r} to have rows counted"
        raise reading.refusal(row, what) from None


def _check_run(row: Row, reading: _Reading, runs: dict[str, str]) -> None:
    for name in reading.run_names:
        cell = row.cells.get(name)
        run = "" if cell is None else str(cell).strip()  # 0 is a name, too
        if run and runs.setdefault(name, run) != run:
            what = f"{shown(run)} is a second run after {shown(runs[name])}: put each run into a file of its own"
            raise reading.refusal(row, what)
