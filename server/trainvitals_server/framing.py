"""Says which pages may show ours inside them: notebooks on this machine, where nobody has to sign in, and the sites
that the server is told of."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOTEBOOKS: Final = (
    "http://localhost:*",
    "https://localhost:*",
    "http://127.0.0.1:*",
    "https://127.0.0.1:*",
    "vscode-webview:",  # what VS Code draws cells in, which no site can claim to be
    "vscode-file:",
)


class FrameMiddleware:
    """Puts ``frame-ancestors`` on every page: the server's own, and ``others``. Pure ASGI."""

    def __init__(self, app: ASGIApp, *, others: tuple[str, ...] = ()) -> None:
        self.app = app
        self._policy = " ".join(("frame-ancestors 'self'", *others))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers["Content-Security-Policy"] = self._policy
            await send(message)

        await self.app(scope, receive, send_with_policy)
