"""A real PostgreSQL server in a folder of its own, to be stopped, killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

STARTS_WITHIN_SECONDS = 60.0
UNPRIVILEGED = "nobody"
QUIET = subprocess.DEVNULL


def programs() -> Path:
    """Where initdb and postgres are. Where there is none, tests are skipped; in CI that is an error."""
    asked = shutil.which("pg_config")
    folders = [Path(subprocess.check_output([asked, "--bindir"], text=True).strip())] if asked else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists():
            return folder
    if os.environ.get("CI") == "true":
        pytest.fail("CI must have PostgreSQL: install it, so that initdb is found")
    pytest.skip("no PostgreSQL here")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Postgres:
    """One cluster on a port of loopback, superuser ``trainvitals`` without a password."""

    def __init__(self) -> None:
        self._binaries = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="tvpg"))  # short: a socket's path has at most 107 bytes
        self._data, self._port = self._folder / "data", free_port()
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
        self._process: subprocess.Popen[bytes] | None = None
        if self._user:
            shutil.chown(self._folder, self._user)
        options = ["-U", "trainvitals", "-A", "trust", "-E", "UTF8", "--no-sync"]
        initialise: list[str | Path] = [self._binaries / "initdb", "-D", self._data, *options]
        subprocess.run(initialise, check=True, cwd=self._folder, user=self._user, stdout=QUIET, stderr=QUIET)

    @property
    def url(self) -> str:
        """Without the name of a database."""
        return f"postgresql://trainvitals@127.0.0.1:{self._port}"

    def start(self) -> None:
        """Serve, and wait until connections are taken."""
        settings = ["-c", "fsync=off", "-c", "shared_buffers=64MB", "-c", "max_connections=50"]
        listen = ["-p", str(self._port), "-h", "127.0.0.1", "-k", str(self._folder)]
        serve: list[str | Path] = [self._binaries / "postgres", "-D", self._data, *listen, *settings]
        self._process = subprocess.Popen(serve, cwd=self._folder, user=self._user, stdout=QUIET, stderr=QUIET)
        deadline = time.monotonic() + STARTS_WITHIN_SECONDS
        ready: list[str | Path] = [self._binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        while subprocess.run(ready, check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL did not start on port {self._port} of 127.0.0.1")
            time.sleep(0.05)

    def stop(self) -> None:
        """End at once, as by a crash: nothing is written any more."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=30)
            self._process = None

    def remove(self) -> None:
        """Stop, and delete all."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
