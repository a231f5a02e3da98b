"""The routes that trainings write to."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from trainvitals.wire import coding
from trainvitals.wire.errors import AbsurdShape, Malformed
from trainvitals.wire.frame import Frame, decode_frame, encode_frame, sealed
from trainvitals.wire.messages import FrameAccepted, ModelInfo, RunAccepted, RunEnd, RunEnded, RunStart
from trainvitals_server.api.answers import PROBLEMS, answer, answers, takes
from trainvitals_server.api.bodies import media_type_of, read_body, read_message, stated_size
from trainvitals_server.api.problems import Refused
from trainvitals_server.api.services import Given, Services
from trainvitals_server.store.interface import ReceivedFrame

MAX_RUN_ID_LENGTH: Final = 128
LARGE_BYTES: Final = 256 * 1024  # decoding more takes milliseconds, in which the event loop has better things to do
JUDGING_SECONDS: Final = 2.0  # a training waits for this answer when it ends
NO_CONTENT: Final = HTTPStatus.NO_CONTENT
router = APIRouter(prefix="/api/v1/runs/{run_id}", tags=["ingest"])


@router.put("", responses=answers(RunAccepted), openapi_extra=takes(RunStart))
async def start_run(run_id: str, request: Request, services: Given) -> Response:
    """Begin a run, or say again that it began."""
    if len(run_id) > MAX_RUN_ID_LENGTH or not run_id.isprintable():
        raise AbsurdShape(f"a run id has 1 to {MAX_RUN_ID_LENGTH} printable characters")
    start = await read_message(request, RunStart, max_bytes=services.settings.limits.max_bytes)
    await run_in_threadpool(services.store.start_run, run_id, start, now=services.clock())
    services.hub.touch(run_id)
    return answer(request, RunAccepted(run_id=run_id, path=f"/runs/{quote(run_id, safe='')}"))


@router.put("/model", status_code=NO_CONTENT, responses=PROBLEMS, openapi_extra=takes(ModelInfo))
async def set_model(run_id: str, request: Request, services: Given) -> Response:
    """Say what is watched."""
    model = await read_message(request, ModelInfo, max_bytes=services.settings.limits.max_bytes)
    await run_in_threadpool(services.store.set_model, run_id, model)
    services.evaluator.model(run_id, model)
    return Response(status_code=NO_CONTENT)


@router.post("/heartbeat", status_code=NO_CONTENT, responses=PROBLEMS)
async def heartbeat(run_id: str, services: Given) -> Response:
    """Say that the training lives."""
    await run_in_threadpool(services.store.heartbeat, [run_id], now=services.clock())
    services.hub.touch(run_id)
    return Response(status_code=NO_CONTENT)


@router.put("/end", responses=answers(RunEnded), openapi_extra=takes(RunEnd))
async def end_run(run_id: str, request: Request, services: Given) -> Response:
    """Say how the run ended; answered when it is judged to its end, or after a moment."""
    end = await read_message(request, RunEnd, max_bytes=services.settings.limits.max_bytes)
    await run_in_threadpool(services.store.end_run, run_id, end)
    services.evaluator.ended(run_id)
    await run_in_threadpool(services.evaluator.settle, run_id, seconds=JUDGING_SECONDS)
    services.hub.touch(run_id)
    found = await run_in_threadpool(services.store.findings, run_id)
    detail = await run_in_threadpool(services.store.run, run_id)
    still_open = [finding for finding in found if finding.state in ("open", "acknowledged")]
    return answer(request, RunEnded(health=detail.summary.health, findings=still_open))


@router.post("/frames", responses=answers(FrameAccepted), openapi_extra=takes(Frame))
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
    findings = services.evaluator.news(run_id, frame.writer)
    return answer(request, FrameAccepted(seq=frame.seq, duplicate=not new, findings=findings))


async def _received(run_id: str, request: Request, services: Services, media_type: str) -> ReceivedFrame:
    limits = services.settings.limits
    payload = await read_body(request, max_bytes=limits.max_bytes)
    decode = partial(decode_frame, media_type=media_type, limits=limits)
    frame = decode(payload) if len(payload) < LARGE_BYTES else await run_in_threadpool(decode, payload)
    if frame.run_id != run_id:
        raise Malformed(f"a frame of run {frame.run_id!r} was sent to run {run_id!r}")
    if media_type != coding.MSGPACK:
        frame = sealed(frame)
        payload = encode_frame(frame)
    return ReceivedFrame(frame=frame, payload=payload, received_at=services.clock())
