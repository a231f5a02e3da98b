"""Every error as problem+json that says what happened, to what, and what to do."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from trainvitals.wire import coding
from trainvitals.wire.errors import WireError
from trainvitals.wire.messages import Problem
from trainvitals_server.diagnosis.options import RuleRefused
from trainvitals_server.store.interface import (
    FindingNotFound,
    JournalChanged,
    NotesFull,
    RulesChanged,
    RunNotFound,
    RunNotRunning,
    SearchRefused,
    SeriesNotFound,
    StoreError,
    StoreUnavailable,
    TooManySeries,
    TooManyTags,
    ViewNotFound,
)

TYPE: Final = "urn:trainvitals:problem:{kind}"
RETRY_AFTER_SECONDS: Final = 2
OF_THE_STORE: Final[dict[type[StoreError], tuple[HTTPStatus, str]]] = {
    RunNotFound: (HTTPStatus.NOT_FOUND, "run-not-found"),
    RunNotRunning: (HTTPStatus.CONFLICT, "run-not-running"),
    FindingNotFound: (HTTPStatus.NOT_FOUND, "finding-not-found"),
    SeriesNotFound: (HTTPStatus.NOT_FOUND, "series-not-found"),
    TooManySeries: (HTTPStatus.UNPROCESSABLE_ENTITY, "too-many-series"),
    NotesFull: (HTTPStatus.UNPROCESSABLE_ENTITY, "notes-full"),
    RulesChanged: (HTTPStatus.CONFLICT, "rules-changed"),
    TooManyTags: (HTTPStatus.UNPROCESSABLE_ENTITY, "too-many-tags"),
    ViewNotFound: (HTTPStatus.NOT_FOUND, "view-not-found"),
    JournalChanged: (HTTPStatus.CONFLICT, "journal-changed"),
}
log = logging.getLogger(__name__)


class Refused(Exception):
    """A request that is turned down before it reaches the store."""

    def __init__(self, status: HTTPStatus, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind


def problem(
    request: Request, status: int, kind: str, detail: str, *, retry: bool = False, place: tuple[int, int] | None = None
) -> Response:
    """A problem+json answer; ``retry`` tells the client to come again soon, ``place`` where in what was asked it is."""
    known = HTTPStatus(status)
    message = Problem(
        type=TYPE.format(kind=kind),
        title=known.phrase,
        status=status,
        detail=detail,
        instance=request.url.path,
        place=place,
    )
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if retry else None
    return Response(coding.encode(message, media_type=coding.JSON), status, headers, "application/problem+json")


def _answering(status: HTTPStatus, name: str) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answered(request: Request, error: Exception) -> Response:
        return problem(request, status, name, str(error))

    return answered


def handle_problems(app: FastAPI) -> None:
    """Teach the application to answer errors."""
    for kind, (status, name) in OF_THE_STORE.items():
        app.add_exception_handler(kind, _answering(status, name))

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        retry = error.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
        return problem(request, error.status, error.kind, str(error), retry=retry)

    @app.exception_handler(SearchRefused)
    async def not_understood(request: Request, error: SearchRefused) -> Response:
        unprocessable = HTTPStatus.UNPROCESSABLE_ENTITY
        return problem(request, unprocessable, "search-not-understood", str(error), place=error.place)

    @app.exception_handler(WireError)
    async def unreadable(request: Request, error: WireError) -> Response:
        return problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, error.kind, str(error))

    @app.exception_handler(RuleRefused)
    async def unfit(request: Request, error: RuleRefused) -> Response:
        return problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, error.kind, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        faults = [f"{' '.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
        return problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-parameter", "; ".join(faults))

    @app.exception_handler(StoreUnavailable)
    async def unavailable(request: Request, error: StoreUnavailable) -> Response:
        return problem(request, HTTPStatus.SERVICE_UNAVAILABLE, "store-unavailable", str(error), retry=True)

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        answer = problem(request, error.status_code, kind, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        detail = f"the server failed with {type(error).__name__}: its log says more"
        return problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", detail)
