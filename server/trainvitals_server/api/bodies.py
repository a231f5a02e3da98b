"""Request bodies: read within a limit, decoded by their content type."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final, TypeVar

from starlette.requests import ClientDisconnect, Request

from trainvitals.wire import coding
from trainvitals_server.api.problems import Refused
from trainvitals_server.settings import Settings

SLOWEST: Final = 6  # times the seconds that a body may stand still
T = TypeVar("T")


def media_type_of(request: Request) -> str:
    """msgpack or JSON. Raises Refused."""
    # a body without a type is not taken for JSON: pages of other sites may send those without asking first
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in (coding.MSGPACK, coding.JSON):
        detail = f"a body of type {given!r}: send {coding.MSGPACK} or {coding.JSON}, and say so in Content-Type"
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail)
    return given


def stated_size(request: Request, *, max_bytes: int) -> int:
    """The size that the request states, ``max_bytes`` where it states none. Raises Refused if it is too large."""
    text = request.headers.get("content-length", "")
    size = int(text) if text.isascii() and text.isdigit() else max_bytes
    if size > max_bytes:
        raise _too_large(size, max_bytes)
    return size


async def read_body(request: Request, settings: Settings) -> bytes:
    """The body. Raises Refused as soon as it is larger than the limit, or nothing has come of it for long."""
    max_bytes, silent_seconds = settings.limits.max_bytes, settings.silent_seconds
    stated_size(request, max_bytes=max_bytes)
    body, now = bytearray(), asyncio.get_running_loop().time
    latest = now() + SLOWEST * silent_seconds  # who drips holds room as well
    try:
        async with asyncio.timeout(silent_seconds) as patience:
            async for piece in request.stream():
                body += piece
                if len(body) > max_bytes:
                    raise _too_large(len(body), max_bytes)
                patience.reschedule(min(latest, now() + silent_seconds))
    except ClientDisconnect:
        raise Refused(HTTPStatus.BAD_REQUEST, "disconnected", "the body broke off: send it again") from None
    except TimeoutError:
        detail = (
            f"the body stood still for {silent_seconds:.0f} seconds, or took {SLOWEST} times as long: send it again"
        )
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, "body-too-slow", detail) from None
    return bytes(body)


async def read_message(request: Request, kind: type[T], settings: Settings) -> T:
    """The body as a message. Raises Refused, WireError."""
    media_type = media_type_of(request)
    return coding.decode(await read_body(request, settings), kind, media_type=media_type)


def _too_large(size: int, max_bytes: int) -> Refused:
    detail = f"a body of at least {size:,} bytes: at most {max_bytes:,} are taken, send it in smaller parts"
    return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail)
