"""Tells by what a run was recorded, and has it read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from trainvitals.importing.csv_tables import read_csv
from trainvitals.importing.errors import CannotImport
from trainvitals.importing.event_files import IN_NAMES, event_files, read_events
from trainvitals.importing.gathering import TooManyPoints, listed
from trainvitals.importing.imported import Imported, name_of
from trainvitals.importing.json_lines import read_json_lines
from trainvitals.importing.mlflow_runs import is_mlflow_run, mlflow_files, read_mlflow_run
from trainvitals.importing.texts import LONGEST_LINE
from trainvitals.importing.trainer_state import LOG, read_trainer_state

MAX_BYTES: Final = 512 * 1000**2  # of text, of which no more than the values is held
MAX_DOCUMENT_BYTES: Final = 64 * 1000**2  # of JSON, which is held as a whole: a log takes up to ten times as much
MAX_EVENT_BYTES: Final = 2 * 1000**3  # which hold pictures, too
LAST_TIME: Final = 253_402_300_799.0  # the last second of the year 9999, beyond which calendars do not go
HEAD_BYTES: Final = 4096
ZSTD: Final = b"\x28\xb5\x2f\xfd"  # how recorded runs begin
SQLITE: Final = b"SQLite format 3\0"
WANDB_FOLDER: Final = re.compile(r"(?:offline-)?run-.+")
EXPORT: Final = "export the run as CSV or JSON lines, and import that"
READABLE: Final = ("metrics.csv", "trainer_state.json")  # which a folder may hold
WHAT_IS_READ: Final = (
    "CSV, JSON lines, trainer_state.json, a run's folder of MLflow's file store, TensorBoard's event files"
)

FEWER: Final = "keep the metrics that matter, or every tenth step"

Read = Callable[[Path], Imported]
MOST: Final[Mapping[Read, int]] = {read_events: MAX_EVENT_BYTES, read_trainer_state: MAX_DOCUMENT_BYTES}  # bytes


def read_run(path: Path) -> Imported:
    """The run that a file or folder of another tracker holds, with its name and times. Raises CannotImport."""
    try:
        read, files = _of_folder(path) if path.is_dir() else (_of_file(path), [path])
        _check_size(path, files, MOST.get(read, MAX_BYTES))
        imported = read(path)
        written_at = max((file.stat().st_mtime for file in files), default=path.stat().st_mtime)
    except TooManyPoints as error:
        raise CannotImport(path, f"{error}: {FEWER}") from error
    except UnicodeDecodeError as error:
        raise CannotImport(path, f"it is no text in UTF-8 ({error.reason}): save it as UTF-8") from error
    except OSError as error:
        raise CannotImport(path, f"it cannot be read: {error.strerror or error}") from error
    if not imported.gathered.metrics:
        words = imported.gathered.words
        held = f"besides steps it holds only {listed(words)}" if words else "it is empty, or was written before any log"
        raise CannotImport(path, f"it holds no metric: {held}. What is read: {WHAT_IS_READ}")
    started_at = _time(imported.started_at, else_=written_at)
    ended_at = max(started_at, _time(imported.ended_at, else_=written_at))
    return replace(imported, name=imported.name or name_of(path), started_at=started_at, ended_at=ended_at)


def _time(told: float | None, *, else_: float) -> float:
    return told if told is not None and 0 <= told <= LAST_TIME else else_


def is_recording(path: Path) -> bool:
    """Whether trainvitals itself recorded the run in a file. Raises OSError."""
    return path.is_file() and (path.name.endswith(".run.zst") or _head(path).startswith(ZSTD))


def _of_folder(folder: Path) -> tuple[Read, list[Path]]:
    if is_mlflow_run(folder):
        return read_mlflow_run, mlflow_files(folder)
    if files := event_files(folder):
        return read_events, files
    if WANDB_FOLDER.fullmatch(folder.name) and next(folder.glob("*.wandb"), None) is not None:
        raise CannotImport(folder, f"W&B's own folder is not read: {EXPORT}")
    if within := [name for name in READABLE if (folder / name).is_file()]:
        raise CannotImport(folder, f"it is a folder: name the file, {folder / within[0]}")
    inner = sorted(path for path in folder.iterdir() if path.is_dir())
    if runs := [path.name for path in inner if is_mlflow_run(path) or event_files(path)]:
        raise CannotImport(folder, f"it holds runs, and is none: name one of the folders {listed(runs)}")
    raise CannotImport(folder, f"nothing in it is known. What is read: {WHAT_IS_READ}")


def _of_file(file: Path) -> Read:
    if not file.is_file():
        raise CannotImport(file, "there is no such file or folder" if not file.exists() else "it is no plain file")
    if IN_NAMES in file.name:
        return read_events
    head = _head(file)
    _check_text(file, head)
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return read_csv
    return read_trainer_state if _is_document(file) else read_json_lines


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(HEAD_BYTES)


def _check_text(file: Path, head: bytes) -> None:
    if file.suffix == ".wandb":
        raise CannotImport(file, f"W&B's own file is not read: {EXPORT}")
    if file.suffix == ".spool":
        raise CannotImport(file, "a spool of trainvitals: `trainvitals sync FOLDER` ships it")
    if head.startswith(SQLITE) or (file.suffix == ".db" and not head):
        raise CannotImport(file, f"a database (of trackio, MLflow or others) is not read: {EXPORT}")
    if head.startswith(ZSTD):
        raise CannotImport(file, "packed by zstd: `trainvitals diagnose` judges a recorded run, else unpack it first")
    if b"\0" in head or head.startswith(b"\x1f\x8b"):
        raise CannotImport(file, "it is no text in UTF-8: unpack it, or save it as UTF-8, or export the run as CSV")


def _is_document(file: Path) -> bool:
    """Whether the JSON in it is one object over several lines, or the Trainer's, and not an object in each line."""
    with file.open(encoding="utf-8-sig") as opened:
        pieces = iter(partial(opened.readline, LONGEST_LINE), "")  # of a longer line it cannot be told, nor is it read
        first = next((piece for piece in pieces if piece.strip()), "")
    try:
        found = json.loads(first)
    except (ValueError, RecursionError):
        return file.suffix == ".json"
    return isinstance(found, list) or LOG in found


def _check_size(path: Path, files: list[Path], most: int) -> None:
    size = sum(file.stat().st_size for file in files)
    if size > most:
        what = f"it takes {size / 1e6:,.0f} MB, and at most {most / 1e6:,.0f} MB are read"
        raise CannotImport(path, f"{what}: {FEWER}")
