"""The `trainer_state.json` that Hugging Face's Trainer leaves in each checkpoint."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Final

from trainvitals.importing.errors import CannotImport
from trainvitals.importing.imported import Imported
from trainvitals.importing.json_lines import flat
from trainvitals.importing.rows import gather
from trainvitals.importing.table import Row

LOG: Final = "log_history"
SETTINGS: Final = ("eval_steps", "logging_steps", "max_steps", "num_train_epochs", "save_steps", "train_batch_size")


def read_trainer_state(path: Path) -> Imported:
    """All of the log, and how many steps were planned. Raises CannotImport, OSError."""
    try:
        state = json.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError:
        raise CannotImport(path, "its objects lie too deep in one another") from None
    except ValueError as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        what = f"no whole JSON document ({error}): take the one of another checkpoint, or write an object to a line"
        raise CannotImport(path, what) from None
    log = state.get(LOG) if isinstance(state, dict) else None
    if not isinstance(log, list):
        what = f"a JSON document without {LOG!r}: of these only the Trainer's trainer_state.json is read"
        raise CannotImport(path, f"{what}. Write one object to a line instead")
    planned = state.get("max_steps")
    return Imported(
        source="trainer_state.json",
        gathered=gather(path, lambda: _rows(path, log), unit=f"entry of {LOG}"),
        config={name: state[name] for name in SETTINGS if state.get(name) is not None},
        planned_steps=planned if isinstance(planned, int) and planned > 0 else None,
    )


def _rows(path: Path, log: list[object]) -> Generator[Row]:
    for number, entry in enumerate(log, 1):
        if not isinstance(entry, dict):
            raise CannotImport(path, "it is no object: mend or delete it", place=f"entry of {LOG} {number:,}")
        yield Row(number, dict(flat(entry)))
