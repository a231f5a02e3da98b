"""Runs the whole on one address until it is told to stop."""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Final

import sqlalchemy as sa
import uvicorn

from trainvitals.settings import DEFAULT_SERVER_URL
from trainvitals_server.cli.lock import AlreadyServed, NoPlace, sole_server_of
from trainvitals_server.composition import create_whole
from trainvitals_server.settings import Settings
from trainvitals_server.store.interface import StoreError
from trainvitals_server.store.opening import open_store

GRACE_SECONDS: Final = 3
BACKLOG: Final = 2048
EVERYWHERE: Final = ("0.0.0.0", "::", "")


class CannotServe(Exception):
    """The server cannot start; the text says why and what to do."""


class _Server(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config, *, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if self.started:
            self._on_listening()


def serve_until_stopped(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises CannotServe."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # uvicorn raises the signal again after its clean stop: as an exception, so that store and lock are released
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _sole(settings.database), closing(_listening_socket(settings)) as listener:
            _serve(settings, listener)
    except (AlreadyServed, NoPlace, StoreError) as error:
        raise CannotServe(str(error)) from error
    except KeyboardInterrupt:
        return  # uvicorn raises it again after a clean stop


def _serve(settings: Settings, listener: socket.socket) -> None:
    with closing(open_store(settings.database)) as store:
        app = create_whole(settings, store=store)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        url = address(settings.host, listener.getsockname()[1])
        children: list[subprocess.Popen[bytes]] = []

        def on_listening() -> None:
            print(f"trainvitals is at {url}  (Ctrl-C stops it)", flush=True)
            if url != DEFAULT_SERVER_URL:
                print(f"trainings find it by:  export TRAINVITALS_SERVER_URL={url}", flush=True)
            children.append(_adopting(url))

        try:
            _Server(config, on_listening=on_listening).run(sockets=[listener])
        finally:
            for child in children:
                child.terminate()
                child.wait()


def address(host: str, port: int) -> str:
    """The server's URL as seen from this machine."""
    name = "127.0.0.1" if host in EVERYWHERE else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"


def _adopting(url: str) -> subprocess.Popen[bytes]:
    """Ship what trainings left on this machine for this server while it did not run."""
    command = [sys.executable, "-m", "trainvitals.command", "sync", "--own", "--server-url", url]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _sole(database: str) -> AbstractContextManager[None]:
    try:
        url = sa.make_url(database)
    except sa.exc.ArgumentError as error:
        raise CannotServe(f"{database!r} is no database URL: give sqlite:///path or postgresql://…") from error
    if url.get_backend_name() != "sqlite" or not url.database:
        return nullcontext()
    return sole_server_of(Path(url.database).absolute())


def _listening_socket(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        where = f"{settings.host}:{settings.port}"
        raise CannotServe(
            f"cannot listen on {where} ({error.strerror}): is another server there? Try --port {settings.port + 1}"
        ) from error
    return listener
