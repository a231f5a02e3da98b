"""The real application on a real SQLite file, behind a real socket, in a thread of the test's own process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from trainvitals.wire.answers import RunDetail
from trainvitals_server.app import create_app
from trainvitals_server.settings import Settings
from trainvitals_server.store.interface import RunQuery, Span, Store
from trainvitals_server.store.opening import open_store

PATIENCE_SECONDS = 60.0


def wait_until(condition: Callable[[], object], *, what: str) -> None:
    """Poll a condition; fail with what was waited for."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


@dataclass
class RealServer:
    """Where it listens, and what it has stored."""

    url: str
    store: Store

    @property
    def runs(self) -> list[RunDetail]:
        """All of them, the oldest first."""
        rows = self.store.runs(RunQuery(descending=False)).runs
        return [self.store.run(row.run_id) for row in rows]

    @property
    def only_run(self) -> RunDetail:
        """The one that there is."""
        (run,) = self.runs
        return run

    def points(self, run_id: str, metric: str) -> list[tuple[int, float]]:
        """Exact, while they are few."""
        curve = self.store.metric_curve(run_id, metric, span=Span(), points=10_000)
        return list(zip(curve.steps, curve.mean.tolist(), strict=True))


@contextmanager
def serving(folder: Path, **more: Any) -> Iterator[RealServer]:
    """Until the block ends; ``more``: other settings than the defaults."""
    settings = Settings(database=f"sqlite:///{folder}/server.sqlite3", **more)
    store = open_store(settings.database)
    # without log_config: setting up logging anew closes the streams of others' handlers (absl's, which Keras brings)
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings, store=store), port=0, log_level="warning", log_config=None)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, what="the server")
    port = server.servers[0].sockets[0].getsockname()[1]
    yield RealServer(url=f"http://127.0.0.1:{port}", store=store)
    server.should_exit = True
    thread.join()
    store.close()
