"""What a training of another library left in the spool, read back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.postgres import free_port
from tests.real_server import PATIENCE_SECONDS, RealServer
from tests.real_server import serving as really_serving
from tests.sdk.conftest import metric_points, records, stats_at
from trainvitals import active
from trainvitals.integrations import hosting
from trainvitals.wire import coding
from trainvitals.wire.frame import Frame, decode_frame
from trainvitals.wire.messages import ModelInfo, RunEnd, RunStart
from trainvitals.wire.notes import Note

ROOT = Path(__file__).parents[2]
os.environ["KERAS_BACKEND"] = "torch"  # read when Keras is imported


@dataclass
class Kept:
    """The only run in a folder of spools, once it has ended."""

    directory: Path

    @cached_property
    def _records(self) -> list[tuple[str, bytes]]:
        return [(record.kind, record.payload) for record in records(self.directory)]

    def _of(self, kind: str) -> list[bytes]:
        return [payload for found, payload in self._records if found == kind]

    @property
    def start(self) -> RunStart:
        return coding.decode(self._of("start")[0], RunStart)

    @property
    def end(self) -> RunEnd:
        return coding.decode(self._of("end")[0], RunEnd)

    @property
    def layers(self) -> list[str]:
        return [layer.name for layer in coding.decode(self._of("model")[-1], ModelInfo).layers]

    @property
    def notes(self) -> dict[str, Any]:
        """Settings and results that came later."""
        notes = [coding.decode(payload, Note) for payload in self._of("note")]
        return {name: value for note in notes for name, value in {**note.config, **note.summary}.items()}

    @cached_property
    def frames(self) -> list[Frame]:
        return [decode_frame(payload) for payload in self._of("frame")]

    def points(self, metric: str) -> list[tuple[int, float]]:
        return metric_points(self.frames, metric)

    def steps(self, metric: str) -> list[int]:
        return [step for step, _ in self.points(metric)]

    def stats(self, step: int) -> dict[str, dict[str, float]]:
        return stats_at(self.frames, step)

    @property
    def sampled(self) -> list[int]:
        """Steps of which there is a snapshot."""
        return sorted({step for frame in self.frames if frame.layer_stats for step in frame.layer_stats.steps})


def run_script(script: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own, with the tests importable."""
    process = start_script(script)
    out, err = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def start_script(script: str, **variables: str) -> subprocess.Popen[str]:
    """The same, not waited for, and with more environment variables."""
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", **variables}
    command = [sys.executable, "-c", script]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_in_two(script: str) -> None:
    """Run Python code in the two processes of a distributed training, and expect both to end well."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    processes = [start_script(script, **place, RANK=str(rank), LOCAL_RANK=str(rank)) for rank in range(2)]
    for process in processes:
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, said


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "spool")


@pytest.fixture
def several(tmp_path: Path) -> Any:
    """All runs in the folder of spools, the oldest first; to be called when they have ended."""

    def read() -> list[Kept]:
        found = sorted((tmp_path / "spool").rglob("*.spool"), key=lambda path: path.name)
        for index, path in enumerate(found):
            alone = tmp_path / f"alone-{index}"
            alone.mkdir()
            path.rename(alone / path.name)
        return [Kept(tmp_path / f"alone-{index}") for index in range(len(found))]

    return read


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RealServer]:
    with really_serving(tmp_path) as real:
        yield real


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Every run of a test stays in its folder, and ends with the test; nothing is fetched from anywhere."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TRAINVITALS_MODE", "offline")
    monkeypatch.setenv("TRAINVITALS_EVERY", "1")  # else the machine's speed says which steps are sampled
    monkeypatch.setenv("TRAINVITALS_DIR", str(tmp_path / "spool"))
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    while (run := active.current()) is not None:
        run.finish()
    hosting._open.clear()
