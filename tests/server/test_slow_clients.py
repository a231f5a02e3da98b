"""A client that begins to send and then says nothing holds up nobody else."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import pytest
import uvicorn

from tests.server.sending import FRAMES, MSGPACK, RUN, START, loss_frame
from trainvitals.wire import coding
from trainvitals.wire.frame import encode_frame
from trainvitals_server.app import create_app
from trainvitals_server.settings import Settings
from trainvitals_server.store.interface import Store

QUEUE_BYTES = 1000


@pytest.fixture
def address(settings: Settings, store: Store) -> Iterator[str]:
    hasty = Settings(database=settings.database, queue_bytes=QUEUE_BYTES, silent_seconds=0.2)
    server = uvicorn.Server(uvicorn.Config(create_app(hasty, store=store), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    httpx2.put(f"{url}/api/v1/runs/{RUN}", content=coding.encode(START), headers=MSGPACK).raise_for_status()
    yield url
    server.should_exit = True
    thread.join()


def begun(address: str) -> socket.socket:
    """A connection on which a frame has begun that takes all of the queue's room."""
    where = urlsplit(address)
    assert where.hostname is not None
    connection = socket.create_connection((where.hostname, where.port or 0), timeout=10)
    head = f"POST {FRAMES} HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Type: {coding.MSGPACK}\r\n"
    connection.sendall(f"{head}Content-Length: {QUEUE_BYTES}\r\n\r\nabc".encode())
    return connection


@pytest.mark.parametrize("drips", [False, True])
def test_a_body_that_stalls_or_drips_is_refused_and_its_room_given_back(address: str, drips: bool) -> None:
    with begun(address) as slow:
        slow.settimeout(0.05 if drips else 10)
        answer = ""
        while not answer:
            try:
                answer = slow.recv(65536).decode()
            except TimeoutError:
                slow.sendall(b"x")

    assert answer.startswith("HTTP/1.1 408")
    assert "body-too-slow" in answer
    frame = encode_frame(loss_frame(0, 1.0))
    assert httpx2.post(f"{address}{FRAMES}", content=frame, headers=MSGPACK).status_code == 200
