"""Scripts as processes of their own, and what became of their runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.sdk.conftest import frames_of, metric_points, records, stats_at
from trainvitals.wire import coding
from trainvitals.wire.messages import ModelInfo, RunEnd, RunStart

PATIENCE_SECONDS = 120.0


class Recorded:
    """The only run in a folder of spools."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def start(self) -> RunStart:
        return coding.decode(self._payloads("start")[0], RunStart)

    @property
    def end(self) -> RunEnd:
        return coding.decode(self._payloads("end")[0], RunEnd)

    @property
    def model(self) -> ModelInfo:
        """As it was described last."""
        return coding.decode(self._payloads("model")[-1], ModelInfo)

    @property
    def layers(self) -> list[str]:
        return [layer.name for layer in self.model.layers]

    @property
    def metrics(self) -> set[str]:
        return {points.metric for frame in frames_of(self._directory) for points in frame.metrics}

    def points(self, metric: str) -> list[tuple[int, float]]:
        return metric_points(frames_of(self._directory), metric)

    def stats(self, step: int) -> dict[str, dict[str, float]]:
        return stats_at(frames_of(self._directory), step)

    def _payloads(self, kind: str) -> list[bytes]:
        return [record.payload for record in records(self._directory) if record.kind == kind]


def python(*arguments: str | Path, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Python in ``folder``, offline unless told otherwise, its spools in ``folder/spool``."""
    environment = {
        **os.environ, "TRAINVITALS_DIR": str(folder / "spool"), "TRAINVITALS_MODE": "offline", "OMP_NUM_THREADS": "1",
        **settings,
    }  # fmt: skip
    command: Sequence[str | Path] = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


def recorded(folder: Path) -> Recorded:
    return Recorded(folder / "spool")
