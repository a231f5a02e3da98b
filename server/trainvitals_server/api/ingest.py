"""The routes that trainings write to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from trainvitals.wire import coding
from trainvitals.wire.answers import RunDetail
from trainvitals.wire.capture import HeartbeatAccepted
from trainvitals.wire.errors import Malformed
from trainvitals.wire.frame import Frame, decode_frame, encode_frame, sealed
from trainvitals.wire.messages import Finding, FrameAccepted, ModelInfo, RunAccepted, RunEnd, RunEnded, RunStart
from trainvitals.wire.notes import Note
from trainvitals.wire.ordering import in_order
from trainvitals.wire.preflight import PreflightReport
from trainvitals_server.api.answers import PROBLEMS, answer, answers, takes
from trainvitals_server.api.bodies import media_type_of, read_body, read_message, stated_size
from trainvitals_server.api.checks import check_end, check_note, check_preflight, check_start, existing
from trainvitals_server.api.problems import Refused
from trainvitals_server.api.rulebook import muting_known
from trainvitals_server.api.services import Given, Services
from trainvitals_server.diagnosis.checklist.telling import checklist, reach
from trainvitals_server.store.interface import ReceivedFrame, Store

LARGE_BYTES: Final = 256 * 1024  # decoding more takes milliseconds, in which the event loop has better things to do
JUDGING_SECONDS: Final = 2.0  # a training waits for this answer when it ends
NO_CONTENT: Final = HTTPStatus.NO_CONTENT
router = APIRouter(prefix="/api/v1/runs/{run_id}", tags=["ingest"])
EXISTING: Final = [Depends(existing)]


@router.put("", responses=answers(RunAccepted), openapi_extra=takes(RunStart))
async def start_run(run_id: str, request: Request, services: Given) -> Response:
    """Begin a run, or say again that it began."""
    start = await read_message(request, RunStart, services.settings)
    check_start(run_id, start)
    start, remarks = muting_known(start)
    if await run_in_threadpool(services.store.start_run, run_id, start, now=services.clock()):
        services.evaluator.started(run_id, planned_steps=start.planned_steps, project=start.project, muted=start.mute)
    services.hub.touch(run_id)
    return answer(request, RunAccepted(run_id=run_id, path=f"/runs/{quote(run_id, safe='')}", remarks=remarks))


@router.put("/model", dependencies=EXISTING, status_code=NO_CONTENT, responses=PROBLEMS, openapi_extra=takes(ModelInfo))
async def set_model(run_id: str, request: Request, services: Given) -> Response:
    """Say what is watched."""
    model = await read_message(request, ModelInfo, services.settings)
    await run_in_threadpool(services.store.set_model, run_id, model)
    services.evaluator.model(run_id, model)
    return Response(status_code=NO_CONTENT)


@router.post("/notes", dependencies=EXISTING, status_code=NO_CONTENT, responses=PROBLEMS, openapi_extra=takes(Note))
async def take_note(run_id: str, request: Request, services: Given) -> Response:
    """Take what the script noted: settings, summary, definitions of metrics, alerts. Sending it again is harmless."""
    note = await read_message(request, Note, services.settings)
    check_note(note)
    if await run_in_threadpool(services.store.note, run_id, note):
        if note.metrics:
            services.evaluator.defined(run_id, note.metrics)
        services.hub.noted(run_id)
    return Response(status_code=NO_CONTENT)


@router.put(
    "/preflight",
    dependencies=EXISTING,
    status_code=NO_CONTENT,
    responses=PROBLEMS,
    openapi_extra=takes(PreflightReport),
)
async def set_preflight(run_id: str, request: Request, services: Given) -> Response:
    """Say what was found before the training; the newest report replaces the one before."""
    report = await read_message(request, PreflightReport, services.settings)
    check_preflight(report)
    await run_in_threadpool(services.store.set_preflight, run_id, report)
    services.hub.noted(run_id)
    return Response(status_code=NO_CONTENT)


@router.post("/heartbeat", dependencies=EXISTING, responses=answers(HeartbeatAccepted))
async def heartbeat(run_id: str, request: Request, services: Given) -> Response:
    """Say that the training lives."""
    await run_in_threadpool(services.store.heartbeat, [run_id], now=services.clock())
    services.hub.touch(run_id)
    return answer(request, HeartbeatAccepted(capture=await services.waiting.look(run_id)))


@router.put("/end", dependencies=EXISTING, responses=answers(RunEnded), openapi_extra=takes(RunEnd))
async def end_run(run_id: str, request: Request, services: Given) -> Response:
    """Say how the run ended; answered when it is judged to its end, or after a moment; at once where it is not
    over, as at the end of most ranks."""
    end = await read_message(request, RunEnd, services.settings)
    check_end(end)
    if await run_in_threadpool(services.store.end_run, run_id, end):
        services.evaluator.ended(run_id)
        await _judged(services, run_id)
    services.hub.touch(run_id)
    found = await run_in_threadpool(services.store.findings, run_id)
    detail = await run_in_threadpool(services.store.run, run_id)
    still_open = [finding for finding, _ in in_order(found) if finding.state in ("open", "acknowledged")]
    rules, in_the_dark = await run_in_threadpool(_reach, services.store, detail, found)
    ended = RunEnded(
        health=detail.summary.health,
        findings=still_open,
        rules=rules,
        in_the_dark=in_the_dark,
        has_loss=detail.summary.loss is not None,
    )
    return answer(request, ended)


def _reach(store: Store, run: RunDetail, findings: Sequence[Finding]) -> tuple[int, int]:
    settings = next(iter(store.rules(run.summary.project, most=1)), None)
    muted = {*run.muted, *(settings.muted if settings else ())}
    return reach(checklist(run, findings, muted=muted), muted=muted)


@router.post("/frames", dependencies=EXISTING, responses=answers(FrameAccepted), openapi_extra=takes(Frame))
async def take_frame(run_id: str, request: Request, services: Given) -> Response:
    """Take a frame; answered once it is stored for good. Sending it again is harmless."""
    media_type = media_type_of(request)
    size = stated_size(request, max_bytes=services.settings.limits.max_bytes)
    if not services.writer.reserve(size):
        raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "queue-full", "frames come faster than they can be stored")
    try:
        received = await _received(run_id, request, services, media_type)
        new = await services.writer.append(received)
    finally:
        services.writer.give_back(size)
    frame = received.frame
    findings = services.evaluator.news(run_id, frame.writer, again=not new)
    capture = services.waiting.known(run_id) if frame.rank == 0 else None
    return answer(request, FrameAccepted(seq=frame.seq, duplicate=not new, findings=findings, capture=capture))


async def _judged(services: Services, run_id: str) -> None:
    """Wait until the run is judged, or for as long as a training that ends should have to."""
    loop, judged = asyncio.get_running_loop(), asyncio.Event()

    def tell() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(judged.set)

    services.evaluator.when_settled(run_id, tell)
    with suppress(TimeoutError):
        await asyncio.wait_for(judged.wait(), JUDGING_SECONDS)


async def _received(run_id: str, request: Request, services: Services, media_type: str) -> ReceivedFrame:
    payload = await read_body(request, services.settings)
    decode = partial(decode_frame, media_type=media_type, limits=services.settings.limits)
    frame = decode(payload) if len(payload) < LARGE_BYTES else await run_in_threadpool(decode, payload)
    if frame.run_id != run_id:
        raise Malformed(f"a frame of run {frame.run_id!r} was sent to run {run_id!r}")
    if media_type != coding.MSGPACK:
        frame = sealed(frame)
        payload = encode_frame(frame)
    return ReceivedFrame(frame=frame, payload=payload, received_at=services.clock())
