"""Whom a server without a token believes to be talking to it: only this machine, by one of its own names.

Without this a page of another site, whose name was made to lead to 127.0.0.1, could read and write every run from the
browser of somebody on this machine (DNS rebinding).
"""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from trainvitals.wire import coding
from trainvitals.wire.messages import Problem
from trainvitals_server.settings import is_loopback

FOREIGN = 4403  # a websocket's close code: after HTTP's 403


class HostMiddleware:
    """Answers requests whose ``Host`` is this machine's, or one of ``allowed``. Pure ASGI, for websockets too."""

    def __init__(self, app: ASGIApp, *, allowed: Collection[str] = ()) -> None:
        self.app = app
        self._allowed = frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        if scope["type"] in ("http", "websocket"):
            name = name_of(Headers(scope=scope).get("host", ""))
            if not (is_loopback(name) or name.endswith(".localhost") or name in self._allowed):
                await _refuse(name, scope, receive, send)
                return
        await self.app(scope, receive, send)


def name_of(host: str) -> str:
    """The name in a ``Host`` header, without brackets and port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


async def _refuse(name: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": FOREIGN, "reason": "an unknown name of this server"})
        return
    problem = Problem(
        type="urn:trainvitals:problem:unknown-host",
        title=HTTPStatus.MISDIRECTED_REQUEST.phrase,
        status=HTTPStatus.MISDIRECTED_REQUEST,
        detail=f"without a token this server answers only to this machine, and not by the name {name!r}: open it as "
        "127.0.0.1 or localhost, set TRAINVITALS_TOKEN, or name the host in TRAINVITALS_ALLOWED_HOSTS",
        instance=str(scope["path"]),
    )
    body = coding.encode(problem, media_type=coding.JSON)
    await Response(body, problem.status, media_type="application/problem+json")(scope, receive, send)
