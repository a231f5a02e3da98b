"""Real processes to kill: a server on a database file, trainings that talk to it."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.postgres import Postgres, free_port

PATIENCE_SECONDS = 60.0


def wait_until(condition: Callable[[], bool], *, what: str, timeout: float = PATIENCE_SECONDS) -> None:
    """Poll a condition; fail with what was waited for."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    pytest.fail(f"waited {timeout:.0f} s in vain for {what}")


@dataclass
class Server:
    """`trainvitals serve` on a fixed port and data folder, to be killed and started again."""

    data: Path
    port: int
    database: str | None = None
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, timeout=10))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "trainvitals.command",
            "serve",
            "--port",
            str(self.port),
            "--data",
            str(self.data),
        ]
        if self.database:
            command += ["--database", self.database]
        environment = {**os.environ, "TRAINVITALS_DIR": str(self.data / "spool-of-the-server"), **self.settings}
        with (self.data / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        wait_until(self._answers_or_ended, what="the server to answer")
        assert self.process.poll() is None, f"the server ended: {self.terminal}"

    def _answers_or_ended(self) -> bool:  # on its port, another one may answer
        assert self.process is not None
        return self.process.poll() is not None or self.answers()

    def answers(self) -> bool:
        try:
            return self.http.request("GET", f"{self.url}/healthz").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    @property
    def complaint(self) -> str:
        """What the server says it cannot do; empty while it is well."""
        answer = self.http.request("GET", f"{self.url}/healthz")
        detail: str = "" if answer.status == 200 else answer.json()["detail"]
        return detail

    @property
    def terminal(self) -> str:
        return (self.data / "server.log").read_text()

    def get(self, path: str) -> dict[str, object]:
        answer = self.http.request("GET", f"{self.url}{path}")
        assert answer.status == 200, answer.data
        body: dict[str, object] = answer.json()
        return body

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.http.clear()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    data = tmp_path / "server"
    data.mkdir()
    running = Server(data=data, port=free_port())
    running.start()
    yield running
    running.close()


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    cluster = Postgres()
    cluster.start()
    yield cluster
    cluster.remove()


def limit_files(process: subprocess.Popen[Any], size: int | None) -> None:
    """Let no file of a process grow beyond ``size``, as a full disk would; None: without limit."""
    limit = resource.RLIM_INFINITY if size is None else size
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


TRAINING = """
import sys, torch, trainvitals as tv
steps, run_file = int(sys.argv[1]), sys.argv[2]
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
run = tv.init(project="faults", name="training")
run.watch(model, optimizer, every=1)
open(run_file, "w").write(run.run_id)
for step in range(steps):
    x = torch.randn(32, 8)
    loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    run.log({"loss": loss})
    if sys.stdin.readline() == "": break
run.finish()
"""


@dataclass
class Training:
    """A training in a process of its own that takes one step for every line it is sent."""

    process: subprocess.Popen[str]
    run_file: Path
    stderr: Path

    @property
    def terminal(self) -> str:
        return self.stderr.read_text()

    def step(self, count: int) -> None:
        assert self.process.stdin is not None
        for _ in range(count):
            self.process.stdin.write("\n")
        self.process.stdin.flush()

    @property
    def run_id(self) -> str:
        wait_until(lambda: self.run_file.exists() and bool(self.run_file.read_text()), what="the training to begin")
        return self.run_file.read_text()


@pytest.fixture
def train(tmp_path: Path, server: Server) -> Iterator[Callable[[int], Training]]:
    started: list[Training] = []
    script = tmp_path / "training.py"
    script.write_text(TRAINING)

    def start(steps: int) -> Training:
        run_file = tmp_path / f"run-{len(started)}"
        environment = {
            **os.environ,
            "TRAINVITALS_SERVER_URL": server.url,
            "TRAINVITALS_DIR": str(tmp_path / "spool"),
            "OMP_NUM_THREADS": "1",
        }
        stderr = tmp_path / f"terminal-{len(started)}"
        with stderr.open("w") as terminal:
            process = subprocess.Popen(
                [sys.executable, str(script), str(steps), str(run_file)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=terminal,
                text=True,
                env=environment,
            )
        training = Training(process=process, run_file=run_file, stderr=stderr)
        started.append(training)
        return training

    yield start
    for training in started:
        training.process.kill()
        training.process.wait()
        if training.process.stdin is not None:
            training.process.stdin.close()


@pytest.fixture
def wait() -> Callable[..., None]:
    return wait_until
