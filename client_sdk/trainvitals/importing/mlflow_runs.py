"""A run's folder in MLflow's file store: `mlruns/EXPERIMENT/RUN`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from trainvitals.importing.errors import CannotImport
from trainvitals.importing.gathering import Gathered, listed
from trainvitals.importing.imported import Imported
from trainvitals.importing.numbers import NoNumber, number_of, shown, step_of
from trainvitals.importing.texts import beginning_of, lines
from trainvitals.plain import MAX_TEXT

ABOUT: Final = "meta.yaml"
FOLDERS: Final = ("metrics", "params", "tags")
FIELDS: Final = (2, 3, 5)  # timestamp, value; since 1.0 the step; since 3.0 name and digest of a data set
ENDINGS: Final[Mapping[str, Literal["failed", "stopped"]]] = {"4": "failed", "5": "stopped"}  # mlflow's RunStatus


def is_mlflow_run(folder: Path) -> bool:
    """Whether MLflow's file store made the folder, for a run."""
    return (folder / "metrics").is_dir() and any((folder / name).exists() for name in ("meta.yaml", "params", "tags"))


def read_mlflow_run(folder: Path) -> Imported:
    """Its metrics, its parameters as settings, its name and times. Raises CannotImport, OSError."""
    files, linked = _files(folder)
    gathered, about = Gathered(), _about(files.get(ABOUT))
    for file in _under("metrics", files):
        _read_metric(files[f"metrics/{file}"], file, gathered)
    if linked:
        gathered.remark(f"links are not followed: {listed(linked)}")
    name = files.get("tags/mlflow.runName")
    return Imported(
        source="MLflow's file store",
        gathered=gathered,
        name=(_text(name) if name else about.get("run_name", "")).strip() or None,
        config={param: _setting(_text(files[f"params/{param}"])) for param in _under("params", files)},
        started_at=_seconds(about.get("start_time")),
        ended_at=_seconds(about.get("end_time")),
        status=ENDINGS.get(about.get("status", ""), "finished"),
    )


def mlflow_files(folder: Path) -> list[Path]:
    """What is read of a run."""
    return list(_files(folder)[0].values())


def _files(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """By path within the run, what is read of it, and the names of links, which may lead to what is none of a run's.
    Metrics and parameters with "/" in their names lie in folders."""
    whole = folder.resolve()
    paths = [folder / ABOUT, *(path for name in FOLDERS for path in sorted((folder / name).rglob("*")))]
    names = [path.relative_to(folder).as_posix() for path in paths if path.is_file() and path.name[:1] != "."]
    own = {name: folder / name for name in names if (folder / name).resolve() == whole / name}
    return own, [name for name in names if name not in own]


def _under(folder: str, files: Iterable[str]) -> list[str]:
    return [file.removeprefix(f"{folder}/") for file in files if file.startswith(f"{folder}/")]


def _read_metric(file: Path, metric: str, gathered: Gathered) -> None:
    with file.open(encoding="utf-8") as opened:
        for number, line in enumerate(lines(file, opened), 1):
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


def _about(file: Path | None) -> dict[str, str]:
    """The plain lines of meta.yaml, for which no YAML is needed."""
    if file is None:
        return {}
    pairs = (line.partition(":") for line in _text(file).splitlines() if line[:1].isalpha())
    found = {key: value.strip().strip("'\"") for key, _, value in pairs}
    return {key: value for key, value in found.items() if value and value != "null"}


def _text(file: Path) -> str:
    return beginning_of(file, MAX_TEXT + 1)  # one more, so that it is seen to be cut


def _setting(text: str) -> Any:  # Any: MLflow keeps text; what is a number in it, is meant as one
    try:
        number = number_of(text)
    except NoNumber:
        return text
    if number is None:
        return text
    try:
        return int(text) if text.strip().isdecimal() else number
    except ValueError:  # thousands of digits
        return text


def _seconds(milliseconds: str | None) -> float | None:
    return float(milliseconds) / 1000 if milliseconds and milliseconds.isdecimal() else None
