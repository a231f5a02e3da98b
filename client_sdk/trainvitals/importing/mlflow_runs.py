"""A run's folder in MLflow's file store: `mlruns/EXPERIMENT/RUN`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from trainvitals.importing.errors import CannotImport
from trainvitals.importing.gathering import Gathered
from trainvitals.importing.imported import Imported
from trainvitals.importing.numbers import NoNumber, number_of, shown, step_of

FIELDS: Final = (2, 3, 5)  # timestamp, value; since 1.0 the step; since 3.0 name and digest of a data set
ENDINGS: Final[Mapping[str, Literal["failed", "stopped"]]] = {"4": "failed", "5": "stopped"}  # mlflow's RunStatus


def is_mlflow_run(folder: Path) -> bool:
    """Whether MLflow's file store made the folder, for a run."""
    return (folder / "metrics").is_dir() and any((folder / name).exists() for name in ("meta.yaml", "params", "tags"))


def read_mlflow_run(folder: Path) -> Imported:
    """Its metrics, its parameters as settings, its name and times. Raises CannotImport, OSError."""
    gathered, about = Gathered(), _about(folder / "meta.yaml")
    for file in _files(folder / "metrics"):
        _read_metric(file, file.relative_to(folder / "metrics").as_posix(), gathered)
    params = folder / "params"
    name = folder / "tags/mlflow.runName"
    return Imported(
        source="MLflow's file store",
        gathered=gathered,
        name=(_text(name) if name.is_file() else about.get("run_name", "")).strip() or None,
        config={file.relative_to(params).as_posix(): _setting(_text(file)) for file in _files(params)},
        started_at=_seconds(about.get("start_time")),
        ended_at=_seconds(about.get("end_time")),
        status=ENDINGS.get(about.get("status", ""), "finished"),
    )


def _files(folder: Path) -> Iterator[Path]:
    """Names with "/" in them are folders."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))


def _read_metric(file: Path, metric: str, gathered: Gathered) -> None:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            fields = line.split()
            try:
                if len(fields) not in FIELDS:
                    raise NoNumber(f"{shown(line.strip())} is not timestamp, value and step")
                value, step = number_of(fields[1]), step_of(fields[2]) if len(fields) > 2 else 0
                if value is None or step is None:
                    raise NoNumber(f"{shown(line.strip())} lacks a value or a step")
            except ValueError as error:
                what = f"{error}; lines are timestamp, value, and a whole step from 0: mend or delete the line"
                raise CannotImport(file, what, place=f"line {number:,}") from None
            gathered.add(metric, step, value)


def _about(file: Path) -> dict[str, str]:
    """The plain lines of meta.yaml, for which no YAML is needed."""
    if not file.is_file():
        return {}
    pairs = (line.partition(":") for line in _text(file).splitlines() if line[:1].isalpha())
    found = {key: value.strip().strip("'\"") for key, _, value in pairs}
    return {key: value for key, value in found.items() if value and value != "null"}


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


def _setting(text: str) -> Any:  # Any: MLflow keeps text; what is a number in it, is meant as one
    try:
        number = number_of(text)
    except NoNumber:
        return text
    return text if number is None else int(text) if text.strip().isdecimal() else number


def _seconds(milliseconds: str | None) -> float | None:
    return int(milliseconds) / 1000 if milliseconds and milliseconds.isdecimal() else None
