"""The websocket side of a feed: one message at a time, the next only when the page has drawn the last."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Final, Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

PING_SECONDS: Final = 20.0
ACK_SECONDS: Final = 15.0
PAUSE_SECONDS: Final = 0.1  # ten messages a second at most


class Feed(Protocol):
    """What can be followed."""

    seq: int

    async def changed(self, since: int) -> None:
        """Return once there is something after ``since``."""

    def message(self, since: int) -> str:
        """All after ``since`` as JSON."""


def is_own_origin(socket: WebSocket) -> bool:
    """False for a page of another site, which browsers let open sockets with the user's cookies."""
    origin = socket.headers.get("origin")
    return origin is None or origin.split("://", 1)[-1] == socket.headers.get("host")


async def follow(socket: WebSocket, feed: Feed, *, since: int) -> None:
    """Send what is new until the page goes away."""
    acknowledged = asyncio.Event()
    reader = asyncio.create_task(_read(socket, acknowledged))
    try:
        while not reader.done():
            await _either(feed.changed(since), reader, seconds=PING_SECONDS)
            if reader.done():
                return
            if feed.seq == since:
                await socket.send_text('{"ping":1}')
                continue
            acknowledged.clear()
            sent, message = feed.seq, feed.message(since)
            await socket.send_text(message)
            since = sent
            await _either(acknowledged.wait(), reader, seconds=ACK_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)
    except (WebSocketDisconnect, RuntimeError):
        return  # gone while it was sent to
    finally:
        reader.cancel()
        with suppress(asyncio.CancelledError):
            await reader
        if socket.client_state is WebSocketState.CONNECTED:
            with suppress(RuntimeError):
                await socket.close()


async def _read(socket: WebSocket, acknowledged: asyncio.Event) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await socket.receive_text()
            acknowledged.set()


async def _either(awaited: Coroutine[object, object, object], reader: asyncio.Task[None], *, seconds: float) -> None:
    task = asyncio.create_task(awaited)
    await asyncio.wait({task, reader}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
