"""Lets in who knows the token, over HTTP and websockets alike, and asks all others for it."""

from __future__ import annotations

import hmac
import html
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, quote

from fastapi import APIRouter
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from trainvitals.wire import coding
from trainvitals.wire.messages import Problem

COOKIE: Final = "trainvitals_token"
COOKIE_SECONDS: Final = 30 * 24 * 3600
OPEN_PATHS: Final = frozenset({"/login", "/healthz"})
NO_PAGES: Final = ("/api/", "/_dash-", "/assets/")
FORM_BYTES: Final = 8192
REFUSED: Final = 4401  # a websocket's close code: not signed in

PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · trainvitals</title>
<style>
:root {{ color-scheme: light dark; --bg: #f5f7f9; --card: #fff; --line: #e3e8ed; --text: #16202b; --soft: #566472;
  --accent: #0a6b7d; --on: #fff; --bad: #b3123f }}
@media (prefers-color-scheme: dark) {{ :root {{ --bg: #0b0f14; --card: #121820; --line: #222c38; --text: #e8edf2;
  --soft: #9aa8b6; --accent: #3bc9db; --on: #08151a; --bad: #ff6b4a }} }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--bg); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif }}
form {{ width: min(340px, 86vw); padding: 28px; background: var(--card); border: 1px solid var(--line);
  border-radius: 12px; box-sizing: border-box }}
h1 {{ margin: 0 0 4px; font-size: 20px }} p {{ margin: 0 0 20px; color: var(--soft) }} p.bad {{ color: var(--bad) }}
label {{ display: block; margin-bottom: 6px; font-weight: 600 }}
input, button {{ width: 100%; box-sizing: border-box; padding: 10px 12px; border-radius: 8px; font: inherit }}
input {{ border: 1px solid var(--line); background: var(--bg); color: inherit }}
button {{ margin-top: 16px; border: 0; background: var(--accent); color: var(--on); font-weight: 600; cursor: pointer }}
:focus-visible {{ outline: 2px solid var(--accent); outline-offset: 2px }}
</style>
<main><form method="post" action="/login"><h1>trainvitals</h1>{said}
<input type="hidden" name="next" value="{target}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Sign in</button></form></main></html>"""
ASK: Final = "<p>This server asks for its token.</p>"
WRONG: Final = '<p class="bad" role="alert">That is not the token. It is the server’s TRAINVITALS_TOKEN.</p>'


def is_token(given: str, token: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(given.encode(), token.encode())


class AuthMiddleware:
    """Pure ASGI, for it must see websockets too. To be outside of all that answers."""

    def __init__(self, app: ASGIApp, *, token: str) -> None:
        self.app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        if scope["type"] in ("http", "websocket") and scope["path"] not in OPEN_PATHS:
            connection = HTTPConnection(scope)
            bearer = connection.headers.get("authorization", "").removeprefix("Bearer ")
            if not (is_token(bearer, self._token) or is_token(connection.cookies.get(COOKIE, ""), self._token)):
                await _refuse(scope, receive, send)
                return
        await self.app(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": REFUSED, "reason": "sign in first"})
        return
    path = str(scope["path"])
    if scope["method"] == "GET" and not path.startswith(NO_PAGES):
        query = scope.get("query_string", b"").decode("latin-1")
        target = path + (f"?{query}" if query else "")
        await RedirectResponse(f"/login?next={quote(target)}", HTTPStatus.SEE_OTHER)(scope, receive, send)
        return
    problem = Problem(
        type="urn:trainvitals:problem:unauthorized",
        title="Unauthorized",
        status=HTTPStatus.UNAUTHORIZED,
        detail="this server asks for its token: set TRAINVITALS_TOKEN, or send 'Authorization: Bearer …'",
        instance=path,
    )
    body = coding.encode(problem, media_type=coding.JSON)
    headers = {"WWW-Authenticate": "Bearer"}
    await Response(body, HTTPStatus.UNAUTHORIZED, headers, "application/problem+json")(scope, receive, send)


def login_routes(token: str | None) -> APIRouter:
    """``/login``: the form, and what it sends."""
    router = APIRouter(include_in_schema=False)

    @router.get("/login")
    async def form(next: str = "/") -> Response:
        if token is None:
            return RedirectResponse(_own_path(next), HTTPStatus.SEE_OTHER)
        return HTMLResponse(PAGE.format(said=ASK, target=html.escape(_own_path(next), quote=True)))

    @router.post("/login")
    async def sign_in(request: Request) -> Response:
        fields = parse_qs(await _form(request))
        target = _own_path(fields.get("next", ["/"])[0])
        given = fields.get("token", [""])[0]
        if token is not None and not is_token(given, token):
            page = PAGE.format(said=WRONG, target=html.escape(target, quote=True))
            return HTMLResponse(page, HTTPStatus.UNAUTHORIZED)
        answer = RedirectResponse(target, HTTPStatus.SEE_OTHER)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, given, max_age=COOKIE_SECONDS, httponly=True, samesite="lax", secure=secure)
        return answer

    return router


async def _form(request: Request) -> str:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > FORM_BYTES:
            return ""
    return body.decode("utf-8", "replace")


def _own_path(target: str) -> str:
    """The path, or "/" where it leads to another site."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"
