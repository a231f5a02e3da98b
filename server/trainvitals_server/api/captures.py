"""The routes by which pages ask trainings for a close look, and trainings say what becomes of it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from trainvitals.wire.capture import Capture, CaptureAnswer
from trainvitals_server.api.answers import PROBLEMS, answer, answers, takes
from trainvitals_server.api.bodies import read_message
from trainvitals_server.api.checks import check_capture_answer, existing
from trainvitals_server.api.services import Given

PATH: Final = "/capture"
EXISTING: Final = [Depends(existing)]
router = APIRouter(prefix="/api/v1/runs/{run_id}", tags=["captures"], dependencies=EXISTING)


@router.post(PATH, responses=answers(Capture))
async def ask_capture(run_id: str, request: Request, services: Given) -> Response:
    """Ask the training to sample its next steps, every one. It hears of it with the next answer that it gets; asking
    again while it has not is the same request. Refused for a run that does not go on."""
    capture = await run_in_threadpool(services.store.ask_capture, run_id, now=services.clock())
    services.waiting.note(run_id, capture)
    services.hub.noted(run_id)
    return answer(request, capture)


@router.put(PATH, status_code=HTTPStatus.NO_CONTENT, responses=PROBLEMS, openapi_extra=takes(CaptureAnswer))
async def answer_capture(run_id: str, request: Request, services: Given) -> Response:
    """Say what became of it."""
    said = await read_message(request, CaptureAnswer, services.settings)
    check_capture_answer(said)
    if await run_in_threadpool(services.store.answer_capture, run_id, said):
        services.hub.noted(run_id)
    await services.waiting.look(run_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)
