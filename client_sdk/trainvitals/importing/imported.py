"""What is known of a run that another tracker recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from trainvitals.importing.gathering import Gathered

# What libraries call the log of every run: the folder tells which one it is
USUAL_NAMES: Final = frozenset({"history", "log", "logs", "metrics", "trainer_state", "training"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A run as a source tells it. ``source``: of what kind, in words; ``name``, ``started_at`` and ``ended_at`` (Unix
    seconds) where it tells them."""

    source: str
    gathered: Gathered
    name: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)  # Any: settings are the user's own
    planned_steps: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    status: Literal["finished", "failed", "stopped"] = "finished"

    @property
    def remarks(self) -> Sequence[str]:
        """What is to be said of what was not taken."""
        return self.gathered.remarks


def name_of(path: Path) -> str:
    """A name for a run that its source does not name: the file's, or its folder's where all files are called so."""
    whole = path.resolve()
    if whole.is_dir():
        return whole.name or "run"
    is_usual = whole.stem.lower() in USUAL_NAMES or "tfevents" in whole.name
    return (whole.parent.name if is_usual else whole.stem) or whole.stem
