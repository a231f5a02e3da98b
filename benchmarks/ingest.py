"""Measures how many values a second the server takes over HTTP, with its store and with none behind it."""

from __future__ import annotations

import argparse
import http.client
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import msgspec
import numpy as np
import uvicorn

from trainvitals.wire import coding
from trainvitals.wire.answers import RunDetail
from trainvitals.wire.capture import Capture
from trainvitals.wire.frame import Frame, LayerStats, encode_frame, sealed, section
from trainvitals.wire.messages import Finding, RunStart
from trainvitals.wire.rules import RuleSettings
from trainvitals_server.composition import create_whole
from trainvitals_server.settings import Settings
from trainvitals_server.store.interface import ReceivedFrame, RunNotFound
from trainvitals_server.store.sql_store import SqlStore

LAYERS: Final = 200
STATS: Final = 12
STEPS: Final = 16
VALUES: Final = LAYERS * STATS * STEPS
CONNECTIONS: Final = 16
SECONDS: Final = 20.0
QUICK_SECONDS: Final = 3.0
ADDRESS: Final = "trainvitals is at "


class NullStore(SqlStore):
    """Takes everything and keeps nothing."""

    def __init__(self) -> None:
        """No database."""

    def start_run(self, run_id: str, start: RunStart, *, now: float) -> bool:
        """Forget it."""
        return True

    def append(self, frames: Sequence[ReceivedFrame]) -> list[bool]:
        """Forget them."""
        return [True] * len(frames)

    def run(self, run_id: str) -> RunDetail:
        """There is none; what is fed is judged all the same, as it is with a store."""
        raise RunNotFound(run_id)

    def capture(self, run_id: str) -> Capture | None:
        """Nobody asks for a close look."""
        return None

    def rules(self, project: str, *, most: int = 1) -> list[RuleSettings]:
        """As they come."""
        return []

    def merge(self, *, force: bool = False) -> int:
        """Nothing waits."""
        return 0

    def save_findings(
        self,
        run_id: str,
        findings: Sequence[Finding],
        *,
        health: int | None,
        little_known: bool = False,
        is_last: bool = False,
    ) -> None:
        """Forget them."""

    def unjudged(self) -> list[str]:
        """Nothing was kept."""
        return []

    def mark_lost(self, *, silent_since: float) -> list[str]:
        """Nothing was kept."""
        return []

    def ping(self) -> None:
        """It is always well."""

    def close(self) -> None:
        """Nothing is open."""


def main(argv: list[str] | None = None) -> int:
    """Run both and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS:.0f} s each, not {SECONDS:.0f}")
    parser.add_argument("--database", help="default: SQLite in a temporary folder")
    parser.add_argument("--serve-null", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.serve_null:
        return _serve_null()
    seconds = QUICK_SECONDS if options.quick else SECONDS
    with tempfile.TemporaryDirectory(prefix="trainvitals-bench-") as folder:
        where = ["--database", options.database] if options.database else ["--data", folder]
        serve = [sys.executable, "-m", "trainvitals_server.cli", "serve", "--port", "0", *where]
        with _running(serve) as url:
            stored = _measure(url, seconds)
    with _running([sys.executable, "-m", "benchmarks.ingest", "--serve-null"]) as url:
        bare = _measure(url, seconds)
    print(f"frames of {LAYERS} layers × {STATS} stats × {STEPS} steps, {CONNECTIONS} connections, {seconds:.0f} s each")
    print(f"with the store   {stored / 1e6:6.1f} M values/s")
    print(f"with no store    {bare / 1e6:6.1f} M values/s")
    print(f"ratio            {stored / bare:6.0%}")
    return 0


@contextmanager
def _running(command: list[str]) -> Iterator[str]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith(ADDRESS):
            raise SystemExit(f"{' '.join(command)} did not start")
        yield line.removeprefix(ADDRESS).split()[0]
    finally:
        process.terminate()
        process.communicate()


def _measure(url: str, seconds: float) -> float:
    """Acknowledged values per second."""
    counts = [0] * CONNECTIONS
    begun = time.monotonic()
    threads = [
        threading.Thread(target=_send, args=(url, place, counts, begun + seconds)) for place in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) * VALUES / (time.monotonic() - begun)


def _send(url: str, place: int, counts: list[int], deadline: float) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    run_id = f"bench-{place}-{time.time_ns()}"
    headers = {"Content-Type": coding.MSGPACK}
    start = RunStart(project="benchmarks", name=f"connection {place}", started_at=time.time())
    connection.request("PUT", f"/api/v1/runs/{run_id}", coding.encode(start), headers)
    connection.getresponse().read()
    template = _template(run_id, place)
    while time.monotonic() < deadline:
        seq = counts[place]
        steps = list(range(seq * STEPS, (seq + 1) * STEPS))
        assert template.layer_stats is not None
        stats = msgspec.structs.replace(template.layer_stats, steps=steps)
        body = encode_frame(msgspec.structs.replace(template, seq=seq, layer_stats=stats))
        connection.request("POST", f"/api/v1/runs/{run_id}/frames", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status == http.client.OK:
            counts[place] += 1
        elif answer.status != http.client.TOO_MANY_REQUESTS:
            raise SystemExit(f"a frame was answered with {answer.status}")


def _template(run_id: str, place: int) -> Frame:
    """Values that drift as those of a training do: noise alone would not compress."""
    rng = np.random.default_rng(place)
    sections = []
    for number in range(STATS):
        level = np.exp(rng.normal(0, 2, (LAYERS, 1)))
        drift = 1 + 0.05 * np.cumsum(rng.normal(0, 1, (LAYERS, STEPS)), axis=1)
        sections.append(section(f"stat_{number}", (level * drift).astype("<f4").tobytes()))
    layers = [f"blocks.{number}.mlp" for number in range(LAYERS)]
    stats = LayerStats(steps=list(range(STEPS)), layers=layers, sections=sections)
    return sealed(Frame(run_id=run_id, writer=place, seq=0, layer_stats=stats))


def _serve_null() -> int:
    app = create_whole(Settings(database="sqlite://"), store=NullStore())  # with the pages, as the other
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    listener = server.config.bind_socket()
    listener.listen(CONNECTIONS)  # before the address is told
    print(f"{ADDRESS}http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    server.run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
