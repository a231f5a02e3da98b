"""The server's application: its routes, and the threads that live as long as it does."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from trainvitals.version import __version__
from trainvitals_server.api import (
    captures,
    checklists,
    findings,
    health,
    ingest,
    journals,
    live,
    looks,
    project_rules,
    queries,
    rules,
    table,
)
from trainvitals_server.api.answers import describe
from trainvitals_server.api.problems import Refused, handle_problems
from trainvitals_server.api.pulse import Pulse
from trainvitals_server.api.services import Services
from trainvitals_server.api.table import empty_bin
from trainvitals_server.api.waiting import Waiting
from trainvitals_server.auth import AuthMiddleware, login_routes
from trainvitals_server.compression import CompressionMiddleware
from trainvitals_server.evaluator import Evaluator
from trainvitals_server.framing import NOTEBOOKS, FrameMiddleware
from trainvitals_server.hosts import HostMiddleware
from trainvitals_server.ingest.merger import Merger
from trainvitals_server.ingest.writer import Writer
from trainvitals_server.live.hub import Hub
from trainvitals_server.settings import Settings
from trainvitals_server.store.interface import ReceivedFrame, Store, StoreError

METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
ROUTERS: Final = (
    ingest.router,
    captures.router,
    looks.router,
    findings.router,
    checklists.router,
    journals.router,
    queries.router,
    table.router,
    rules.router,
    project_rules.router,
    live.router,
    health.router,
)
SWEEP_SECONDS: Final = 10.0
LEAP_SECONDS: Final = 5.0
log = logging.getLogger(__name__)

SetUp = Callable[[], Awaitable[None]]
Pages = Callable[[FastAPI], SetUp]


def create_app(
    settings: Settings, *, store: Store, pages: Pages | None = None, clock: Callable[[], float] = time.time
) -> FastAPI:
    """The API on ``store``. ``pages`` mounts a dashboard beneath the sign-in, once all routes are there."""
    services = _services(settings, store, clock)
    set_ups: list[SetUp] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        for set_up in set_ups:
            await set_up()
        async with _at_work(services):
            yield

    app = FastAPI(
        title="trainvitals",
        version=__version__,
        description="Watch a neural network train from the inside.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.services = services
    handle_problems(app)
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(login_routes(settings.token))
    _close_off(app)
    if pages is not None:
        set_ups.append(pages(app))
    if settings.token is not None:
        app.add_middleware(AuthMiddleware, token=settings.token)
    else:
        app.add_middleware(HostMiddleware, allowed=settings.allowed_hosts)
    app.add_middleware(CompressionMiddleware)
    notebooks = NOTEBOOKS if settings.token is None else ()
    app.add_middleware(FrameMiddleware, others=(*notebooks, *settings.embed_in))
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # FastAPI's own way to extend the document
    return app


def _services(settings: Settings, store: Store, clock: Callable[[], float]) -> Services:
    hub = Hub(store, clock=clock)
    evaluator = Evaluator(store, now=clock, on_findings=hub.found, busy=lambda: writer.busy)

    def on_committed(frames: list[ReceivedFrame], new: list[bool]) -> None:
        fresh = [received for received, is_new in zip(frames, new, strict=True) if is_new]
        for run_id in dict.fromkeys(received.frame.run_id for received in fresh):
            evaluator.feed(run_id, [received.frame for received in fresh if received.frame.run_id == run_id])
        hub.committed(fresh)

    writer = Writer(store, max_bytes=settings.queue_bytes, on_committed=on_committed)
    pulse = Pulse(store)
    return Services(
        settings=settings,
        store=store,
        writer=writer,
        hub=hub,
        evaluator=evaluator,
        pulse=pulse,
        waiting=Waiting(store, clock=clock),
        clock=clock,
    )


@asynccontextmanager
async def _at_work(services: Services) -> AsyncIterator[None]:
    """Threads and tasks, begun in order and ended in the reverse of it, each off the event loop."""
    services.hub.bind(asyncio.get_running_loop())
    merger = Merger(services.store, busy=lambda: services.writer.busy)
    async with AsyncExitStack() as stack:
        for part in (services.evaluator, services.writer, merger):
            part.start()
            stack.push_async_callback(run_in_threadpool, part.stop)
        works = (_judge_what_ended_before(services), _sweep(services), empty_bin(services))
        for work in (services.hub.keep_rows_fresh(), *works):
            stack.push_async_callback(_cancelled, asyncio.create_task(work))
        yield


async def _judge_what_ended_before(services: Services) -> None:
    """Runs whose end came while the last server stopped."""
    while True:
        try:
            ended = await run_in_threadpool(services.store.unjudged)
        except StoreError as error:
            log.warning("runs that ended before this start are not judged to their end yet: %s", error)
            await asyncio.sleep(SWEEP_SECONDS)
            continue
        for run_id in ended:
            services.evaluator.ended(run_id)
        return


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _sweep(services: Services) -> None:
    """Mark runs as lost that have been silent for long. After a start, an outage of the store or a leap of the clock
    (a machine that slept) all get that long to be heard again."""
    patience = services.settings.lost_after_seconds
    heard_from = time.monotonic() + patience
    leap = services.clock() - time.monotonic()
    while True:
        await asyncio.sleep(min(SWEEP_SECONDS, patience))
        now, leap_before = time.monotonic(), leap
        leap = services.clock() - now
        if abs(leap - leap_before) > LEAP_SECONDS:
            heard_from = now + patience
        if now < heard_from:
            continue
        lost = await _marked_lost(services, patience)
        if lost is None:
            heard_from = now + patience
        for run_id in lost or ():
            services.evaluator.ended(run_id)
            services.hub.touch(run_id)


async def _marked_lost(services: Services, patience: float) -> list[str] | None:
    """None if the store does not answer."""
    try:
        return await run_in_threadpool(services.store.mark_lost, silent_since=services.clock() - patience)
    except StoreError as error:
        log.warning("lost runs are not marked: %s", error)
    except Exception:  # the border: the next sweep may do better
        log.exception("lost runs are not marked")
    return None


def _close_off(app: FastAPI) -> None:
    """What the API does not know is a problem, and never a page: Dash would answer it with 200."""

    @app.api_route("/api/{rest:path}", methods=METHODS, include_in_schema=False)
    async def nothing_here(rest: str, request: Request) -> Response:
        routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
        allowed = sorted(
            {
                method
                for route in routes
                if route.matches(request.scope)[0] is Match.PARTIAL
                for method in route.methods or ()
            }
        )
        if allowed:
            detail = f"{request.method} is not for {request.url.path}: use {' or '.join(allowed)}"
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, detail, {"Allow": ", ".join(allowed)})
        raise Refused(HTTPStatus.NOT_FOUND, "no-such-endpoint", f"no endpoint /api/{rest}: see /api/openapi.json")
