"""A small real server that answers like the API, and ways to read a spool."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import trainvitals
from tests.real_server import RealServer
from tests.real_server import serving as really_serving
from trainvitals import active
from trainvitals.spool import Record, Spool
from trainvitals.wire import coding
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, decode_frame, matrix_of
from trainvitals.wire.histograms import CELLS, cells_of
from trainvitals.wire.messages import FrameAccepted, Problem

PATIENCE_SECONDS = 20.0


@dataclass
class Receiver:
    """What arrived, in order; ``refusals`` are statuses to answer first, before anything is taken, in the API's own
    words where ``speaks_api``: problems of the kind ``problem``."""

    url: str = ""
    speaks_api: bool = True
    problem: str = "refused"
    refusals: deque[tuple[int, dict[str, str]]] = field(default_factory=deque)
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    answers_wait_for: threading.Event | None = None

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, timeout=PATIENCE_SECONDS), self.paths

    @property
    def paths(self) -> list[str]:
        return [f"{method} {path}" for method, path, _ in self.requests]

    @property
    def frames(self) -> list[Frame]:
        return [decode_frame(body) for _, path, body in self.requests if path.endswith("/frames")]

    def points(self, metric: str) -> list[tuple[int, float]]:
        return metric_points(self.frames, metric)

    @property
    def ended(self) -> bool:
        return any(path.endswith("/end") for path in self.paths)


def _problem(status: int, kind: str) -> bytes:
    """A refusal in the API's own words."""
    kind = {404: "run-not-found"}.get(status, kind)
    problem = Problem(type=f"urn:trainvitals:problem:{kind}", title=kind, status=status, detail="no")
    return coding.encode(problem, media_type=coding.JSON)


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if receiver.answers_wait_for is not None:
                receiver.answers_wait_for.wait(PATIENCE_SECONDS)
            with receiver.changed:
                if receiver.refusals:
                    status, headers = receiver.refusals.popleft()
                    self.answer(status, _problem(status, receiver.problem) if receiver.speaks_api else b"", headers)
                    receiver.changed.notify_all()
                    return
                receiver.requests.append((self.command, self.path, body))
                receiver.changed.notify_all()
            frame = self.path.endswith("/frames")
            self.answer(200 if frame else 204, coding.encode(FrameAccepted(seq=0)) if frame else b"", {})

        do_PUT = do_POST  # noqa: N815 - http.server's own name

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def serve(port: int = 0) -> tuple[Receiver, ThreadingHTTPServer]:
    receiver = Receiver()
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(receiver))
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True).start()
    return receiver, server


@pytest.fixture
def serving() -> Iterator[Callable[[int], Receiver]]:
    servers: list[ThreadingHTTPServer] = []

    def start(port: int) -> Receiver:
        receiver, server = serve(port)
        servers.append(server)
        return receiver

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def nothing_checked_before() -> None:
    """A preflight of one test is not kept with the run of another."""
    active._checked = None


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch computes on one core, so that tests side by side do not wait for each other's."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def receiver(serving: Callable[[int], Receiver]) -> Receiver:
    return serving(0)


def records(directory: Path) -> list[Record]:
    """All records of the only spool in a folder, which no living run holds."""
    (path,) = directory.rglob("*.spool")
    return records_in(path)


def records_in(path: Path) -> list[Record]:
    spool = Spool(path)
    assert spool.open()
    found = []
    while (record := spool.next()) is not None:
        found.append(record)
        spool.acknowledge(record)
    spool.close()
    path.with_suffix(".acked").unlink(missing_ok=True)  # so that it can be read again
    return found


def frames_of(directory: Path) -> list[Frame]:
    return [decode_frame(record.payload) for record in records(directory) if record.kind == "frame"]


def metric_points(frames: list[Frame], metric: str) -> list[tuple[int, float]]:
    return [
        point
        for frame in frames
        for points in frame.metrics
        if points.metric == metric
        for point in zip(points.steps, points.values.tolist(), strict=True)
    ]


def stats_at(frames: list[Frame], step: int) -> dict[str, dict[str, float]]:
    """Stat → layer → value of the snapshot at a step."""
    found: dict[str, dict[str, float]] = {}
    for frame in frames:
        stats = frame.layer_stats
        if stats is None or step not in stats.steps:
            continue
        column, steps = stats.steps.index(step), len(stats.steps)
        for part in stats.sections:
            values = Floats(matrix_of(part, layers=len(stats.layers), steps=steps)).tolist()
            found[part.stat] = dict(zip(stats.layers, values[column::steps], strict=True))
    return found


def histograms_at(frames: list[Frame], step: int) -> dict[str, dict[str, NDArray[np.uint16]]]:
    """Kind → layer → cells of the histograms at a step."""
    found: dict[str, dict[str, NDArray[np.uint16]]] = {}
    for taken in (frame.histograms for frame in frames):
        if taken is None or step not in taken.steps:
            continue
        shape = (len(taken.layers), len(taken.steps), CELLS)
        for part in taken.parts:
            data = cells_of(part, layers=shape[0], steps=shape[1])
            column = np.frombuffer(data, "<u2").reshape(shape)[:, taken.steps.index(step)]
            found[part.kind] = dict(zip(taken.layers, column, strict=True))
    return found


@dataclass
class Offline:
    """An offline run's folder, and what is in its spool once it has finished."""

    directory: Path

    def init(self) -> trainvitals.Run:
        return trainvitals.init(mode="offline", directory=self.directory, project="tests", name="offline")

    @property
    def frames(self) -> list[Frame]:
        return frames_of(self.directory)

    def points(self, metric: str) -> list[tuple[int, float]]:
        return metric_points(self.frames, metric)

    def stats(self, step: int) -> dict[str, dict[str, float]]:
        return stats_at(self.frames, step)

    @property
    def records(self) -> list[Record]:
        return records(self.directory)

    @property
    def kinds(self) -> list[str]:
        return [record.kind for record in self.records]


@pytest.fixture
def offline(tmp_path: Path) -> Offline:
    return Offline(tmp_path / "spool")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RealServer]:
    """The real one, for what only it can answer."""
    with really_serving(tmp_path) as real:
        yield real
