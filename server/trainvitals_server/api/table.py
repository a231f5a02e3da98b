"""The routes by which people work with the table of runs: what they say of runs, columns, groups and views."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from trainvitals.wire.answers import RunPage
from trainvitals.wire.table import Columns, Groups, RunsChange, View, Views
from trainvitals_server.api.answers import PROBLEMS, answer, answers, takes
from trainvitals_server.api.bodies import read_message
from trainvitals_server.api.checks import check_runs_change, check_view
from trainvitals_server.api.problems import Refused
from trainvitals_server.api.services import Given, Services
from trainvitals_server.store.interface import RunNotFound, RunQuery, StoreError
from trainvitals_server.store.run_changes import IN_BIN_SECONDS
from trainvitals_server.store.run_rows import SETTING_PREFIX

EMPTY_EVERY_SECONDS: Final = 5.0
KINDS: Final = ("project", "status", "group")
router = APIRouter(prefix="/api/v1", tags=["table"])
log = logging.getLogger(__name__)


@router.patch("/runs", responses=answers(RunPage), openapi_extra=takes(RunsChange))
async def change_runs(request: Request, services: Given) -> Response:
    """Tag runs or take tags away, write a memo, archive them, put them into the bin or take them back from it; all of
    them, or none where one is not there. The runs as they are then."""
    change = await read_message(request, RunsChange, services.settings)
    check_runs_change(change)
    change = msgspec.structs.replace(change, tag=[tag.strip() for tag in change.tag])
    runs = await run_in_threadpool(services.store.change_runs, change, now=services.clock())
    services.hub.touch(*change.run_ids)
    return answer(request, RunPage(runs=runs, total=len(runs)))


@router.get("/columns", responses=answers(Columns))
def show_columns(request: Request, services: Given, text: str = "") -> Response:
    """Settings, metrics and tags that the runs have which a search finds, and how many of the runs."""
    query = RunQuery(text=text, hides_archived=True, now=services.clock())
    return answer(request, services.store.columns(query))


@router.get("/groups", responses=answers(Groups))
def show_groups(request: Request, services: Given, by: str, metric: str = "loss", text: str = "") -> Response:
    """The runs that a search finds, grouped by ``project``, ``status``, ``group`` or ``setting:NAME``, and what the
    groups reached of a metric."""
    if by not in KINDS and not by.startswith(SETTING_PREFIX):
        detail = f"by={by!r}: runs are grouped by {', '.join(KINDS)} or {SETTING_PREFIX}NAME"
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-parameter", detail)
    query = RunQuery(text=text, hides_archived=True, now=services.clock())
    return answer(request, services.store.groups(query, by=by, metric=metric))


@router.get("/views", responses=answers(Views))
def list_views(request: Request, services: Given) -> Response:
    """How people looked at the table, by name."""
    return answer(request, Views(views=services.store.views()))


@router.put("/views", responses=answers(View), openapi_extra=takes(View))
async def save_view(request: Request, services: Given) -> Response:
    """Keep how the table is looked at, in place of what was kept under that name."""
    view = await read_message(request, View, services.settings)
    check_view(view)
    view = msgspec.structs.replace(view, name=view.name.strip(), at=services.clock())
    await run_in_threadpool(services.store.save_view, view)
    return answer(request, view)


@router.delete("/views/{name:path}", status_code=HTTPStatus.NO_CONTENT, responses=PROBLEMS)
def delete_view(name: Annotated[str, Path()], services: Given) -> Response:
    """Forget a view."""
    services.store.delete_view(name)
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def empty_bin(services: Services) -> None:
    """Delete for good what has been in the bin for long enough, until cancelled."""
    while True:
        await asyncio.sleep(EMPTY_EVERY_SECONDS)
        try:
            await run_in_threadpool(_empty, services)
        except StoreError as error:
            log.warning("deleted runs are not removed yet: %s", error)
        except Exception:  # the border: the next time may do better
            log.exception("deleted runs are not removed yet")


def _empty(services: Services) -> None:
    for run_id in services.store.deleted_runs(before=services.clock() - IN_BIN_SECONDS):
        try:
            services.store.delete_run(run_id)
        except RunNotFound:  # somebody else was quicker
            continue
        services.evaluator.forget(run_id)
