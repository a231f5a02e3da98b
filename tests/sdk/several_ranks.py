"""What one process recorded of a training, and what each of several did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.sdk.conftest import frames_of, records_in
from trainvitals.spool import Record
from trainvitals.wire import coding
from trainvitals.wire.frame import Frame, decode_frame
from trainvitals.wire.messages import RunStart

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What one process recorded, and what each of several did that shared its batches; what they said. ``unwatched``:
    the losses of each when nobody watched."""

    one: list[Frame]
    several: dict[int, list[Record]]
    unwatched: dict[int, list[float]]
    said: str


def python(*arguments: str | Path, **environment: str) -> str:
    """What a script says on stderr."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        cwd=REPOSITORY, timeout=180, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stderr


def train_both(how: str, folder: Path) -> Trained:
    """See tests.sdk.distributed_training."""
    said = python("-m", "tests.sdk.distributed_training", how, folder)
    several = by_rank(folder / "several")
    unwatched = {rank: json.loads((folder / "unwatched" / str(rank)).read_text()) for rank in several}
    return Trained(one=frames_of(folder / "one"), several=several, unwatched=unwatched, said=said)


def by_rank(directory: Path) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = {}
    for path in directory.rglob("*.spool"):
        records = records_in(path)
        found[coding.decode(records[0].payload, RunStart).rank] = records
    return dict(sorted(found.items()))


def frames(records: list[Record]) -> list[Frame]:
    return [decode_frame(record.payload) for record in records if record.kind == "frame"]


def metrics(of: list[Frame]) -> set[str]:
    return {points.metric for frame in of for points in frame.metrics}
