"""A real browser on a real server: what tests that look at pages need."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import BrowserType, Page, expect

from trainvitals_server.composition import create_whole
from trainvitals_server.settings import Settings

BROWSERS = ("google-chrome", "google-chrome-stable", "chromium", "chromium-browser")  # Ubuntu's chromium is a snap
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
STARTED_WITHIN_SECONDS = 30.0
ARTEFACTS = Path(__file__).parents[2] / "artefacts"

expect.set_options(timeout=20_000)  # of a page that shares two cores with another browser, servers and trainings


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any], browser_type: BrowserType) -> dict[str, Any]:
    """Playwright's Chromium, where it is installed, else the system's. None: skipped on a laptop, a failure in CI."""
    own = [path for path in [browser_type.executable_path] if Path(path).exists()]
    path = next(filter(None, [*own, *map(shutil.which, BROWSERS)]), None)
    if path is None and os.environ.get("CI") == "true":
        pytest.fail("no Chromium on this machine: run `make setup`")
    if path is None:
        pytest.skip("no Chromium on this machine: run `make setup`")
    return {**browser_type_launch_args, "executable_path": path, "args": list(FLAGS)}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A laptop's window."""
    return {**browser_context_args, "viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"}


@pytest.fixture
def page(page: Page) -> Iterator[Page]:
    """A tab; the test fails on any error in its console."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield page
    assert not errors, errors


@pytest.fixture
def serve() -> Iterator[Callable[[FastAPI], str]]:
    """serve(application) → its address; a real uvicorn in a thread, stopped after the test."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(application: FastAPI) -> str:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(application, log_level="warning", ws_per_message_deflate=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running.append((server, thread))
        deadline = time.monotonic() + STARTED_WITHIN_SECONDS
        while not server.started:
            assert thread.is_alive(), "the server ended while it started"
            assert time.monotonic() < deadline, "the server does not start"
            thread.join(0.02)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for server, _ in running:
        server.should_exit = True
    for _, thread in running:
        thread.join(20)


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Where screenshots are kept."""
    ARTEFACTS.mkdir(exist_ok=True)
    return ARTEFACTS


@pytest.fixture
def address(tmp_path: Path, serve: Callable[[FastAPI], str]) -> str:
    """An empty server's."""
    return serve(create_whole(Settings(database=f"sqlite:///{tmp_path / 'runs.sqlite3'}")))


@pytest.fixture
def notebook() -> Iterator[Callable[[str], str]]:
    """notebook(html) → the address of a page with it, on another port and by another name than trainvitals' own."""
    cells: list[str] = []

    class Cells(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            icon = "<link rel=icon href='data:,'>"
            self.wfile.write(f"<!doctype html><title>Notebook</title>{icon}{''.join(cells)}".encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Cells)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def show(html: str) -> str:
        cells.append(html)
        return f"http://localhost:{server.server_address[1]}"

    yield show
    server.shutdown()
    server.server_close()
