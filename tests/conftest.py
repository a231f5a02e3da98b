"""A real PostgreSQL for the tests that need one, and frames to send."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

STARTS_WITHIN_SECONDS = 60.0
UNPRIVILEGED = "nobody"


def _programs() -> Path | None:
    """Where initdb and postgres are."""
    asked = shutil.which("pg_config")
    folders = [Path(subprocess.check_output([asked, "--bindir"], text=True).strip())] if asked else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of an empty PostgreSQL server, without a database name; skipped where there is none, an error in CI."""
    programs = _programs()
    if programs is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have PostgreSQL: install it, so that initdb is found")
        pytest.skip("no PostgreSQL here")
    folder = Path(tempfile.mkdtemp(prefix="tvpg"))  # short: a socket's path has at most 107 bytes
    if os.geteuid() == 0:
        shutil.chown(folder, UNPRIVILEGED)
    data, port = folder / "data", _free_port()
    user = UNPRIVILEGED if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    quiet = subprocess.DEVNULL
    initialise: list[str | Path] = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        "trainvitals",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-sync",
    ]
    subprocess.run(initialise, check=True, cwd=folder, user=user, stdout=quiet, stderr=quiet)
    settings = ["-c", "fsync=off", "-c", "shared_buffers=64MB", "-c", "max_connections=50"]
    listen = ["-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]
    serve: list[str | Path] = [programs / "postgres", "-D", data, *listen, *settings]
    process = subprocess.Popen(serve, cwd=folder, user=user, stdout=quiet, stderr=quiet)
    deadline = time.monotonic() + STARTS_WITHIN_SECONDS
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"PostgreSQL did not start on port {port} of 127.0.0.1")
        time.sleep(0.05)
    yield f"postgresql://trainvitals@127.0.0.1:{port}"
    process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
    process.wait(timeout=30)
    shutil.rmtree(folder, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright keeps an event loop running in this thread until the session ends."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
