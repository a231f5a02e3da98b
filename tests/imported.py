"""Runs of other trackers as they would be sent, read back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.sdk.conftest import metric_points
from trainvitals.console import Console
from trainvitals.importing.command import read_for_import
from trainvitals.wire import coding
from trainvitals.wire.frame import Frame, decode_frame
from trainvitals.wire.messages import RunEnd, RunStart


@dataclass
class Imported:
    """What a server would be sent of a run."""

    run_id: str
    start: RunStart
    frames: list[Frame]
    end: RunEnd

    @property
    def metrics(self) -> list[str]:
        return list(dict.fromkeys(points.metric for frame in self.frames for points in frame.metrics))

    def points(self, metric: str) -> list[tuple[int, float]]:
        return metric_points(self.frames, metric)


def imported(path: Path, *, name: str | None = None) -> Imported:
    """Frames are decoded as strictly as a server does."""
    run = read_for_import(path, Console(), project="tests", name=name)
    (_, start), *between, (_, end) = run.records()
    frames = [decode_frame(payload) for kind, payload in between if kind == "frame"]
    return Imported(run.run_id, coding.decode(start, RunStart), frames, coding.decode(end, RunEnd))
