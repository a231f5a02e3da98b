"""The routes by which trainings send looks inside, and pages ask for their pictures."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from trainvitals.wire.answers import LookedInto, Looks
from trainvitals.wire.looks import MAX_NAME, MAX_STEP, Look, decode_look
from trainvitals_server.api.answers import PROBLEMS, answer, answers, takes
from trainvitals_server.api.bodies import media_type_of, read_body
from trainvitals_server.api.checks import existing
from trainvitals_server.api.services import Given

PATH: Final = "/looks"
EXISTING: Final = [Depends(existing)]
router = APIRouter(prefix="/api/v1/runs/{run_id}", tags=["looks"], dependencies=EXISTING)


@router.post(PATH, status_code=HTTPStatus.NO_CONTENT, responses=PROBLEMS, openapi_extra=takes(Look))
async def take_look(run_id: str, request: Request, services: Given) -> Response:
    """Take a look inside. Sending it again is harmless: one at a step takes the place of an earlier one."""
    media_type = media_type_of(request)
    body = await read_body(request, services.settings)
    look = await run_in_threadpool(partial(decode_look, body, media_type=media_type))
    await run_in_threadpool(services.store.keep_look, run_id, look)
    services.hub.looked(run_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get(PATH, responses=answers(Looks))
def list_looks(run_id: str, request: Request, services: Given) -> Response:
    """What there is: at which steps, and of which layers pictures of which kinds."""
    return answer(request, services.store.looks(run_id))


@router.get(f"{PATH}/pictures", responses=answers(LookedInto))
def show_pictures(
    run_id: str,
    request: Request,
    services: Given,
    layer: Annotated[str, Query(max_length=MAX_NAME)] = "",
    step: Annotated[int | None, Query(ge=0, le=MAX_STEP)] = None,
) -> Response:
    """The pictures of one layer at a step, or else at the last one before it; the newest without ``step``. The layer ""
    is of the examples themselves."""
    return answer(request, services.store.pictures(run_id, layer, step=step))
