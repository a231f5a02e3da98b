"""The routes for what people write of a run."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from trainvitals.wire.journal import Journal, JournalChange, Written
from trainvitals_server.api.answers import answer, answers, takes
from trainvitals_server.api.bodies import read_message
from trainvitals_server.api.checks import check_journal, existing
from trainvitals_server.api.services import Given, Services

EXISTING: Final = [Depends(existing)]
router = APIRouter(prefix="/api/v1/runs/{run_id}/journal", tags=["journal"], dependencies=EXISTING)


@router.get("", responses=answers(Journal))
def show_journal(
    run_id: str, request: Request, services: Given, versions: Annotated[int, Query(ge=0, le=50)] = 0
) -> Response:
    """What people wrote of the run, in Markdown, and so many versions before it."""
    return answer(request, _told(run_id, services, versions=versions))


@router.put("", responses=answers(Journal), openapi_extra=takes(JournalChange))
async def write_journal(run_id: str, request: Request, services: Given) -> Response:
    """Write it anew, in place of what was there, which stays among the versions; the same text again changes nothing.
    Refused where somebody else has written since the version that it comes ``after``."""
    change = await read_message(request, JournalChange, services.settings)
    check_journal(change)
    return answer(request, await run_in_threadpool(_write, run_id, change, services))


def _write(run_id: str, change: JournalChange, services: Services) -> Journal:
    written = services.store.write_journal(run_id, change, now=services.clock())
    services.hub.noted(run_id)
    return Journal(run_id=run_id, now=written)


def _told(run_id: str, services: Services, *, versions: int) -> Journal:
    now, *before = [*services.store.journal(run_id, most=versions + 1)] or [Written()]
    return Journal(run_id=run_id, now=now, before=before)
