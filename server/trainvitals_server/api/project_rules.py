"""The routes for what a project says of its rules: which are muted, and which options are not their defaults."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from trainvitals.wire.rules import ProjectRules, RuleChange
from trainvitals_server.api.answers import answer, answers, takes
from trainvitals_server.api.bodies import read_message
from trainvitals_server.api.checks import check_change, check_project
from trainvitals_server.api.rulebook import fit, told
from trainvitals_server.api.services import Given, Services

VERSIONS: Final = 100  # of the history, the newest
# a project may be called "team/digits"
router = APIRouter(prefix="/api/v1/projects/{project:path}/rules", tags=["rules"])


@router.get("", responses=answers(ProjectRules))
def show_project_rules(
    project: str, request: Request, services: Given, versions: Annotated[int, Query(ge=1, le=1000)] = VERSIONS
) -> Response:
    """The rules of a project with their options, what is muted or set there, and the newest versions of that."""
    check_project(project)
    return answer(request, told(project, services.store.rules(project, most=versions)))


@router.put("", responses=answers(ProjectRules), openapi_extra=takes(RuleChange))
async def set_project_rules(project: str, request: Request, services: Given) -> Response:
    """Say which rules are muted and which options are set, in place of all that was said before, which stays in the
    history; saying the same again changes nothing. Runs that go on are judged so from their next moment on, and
    findings of rules that are muted resolve. Any project may be named, before it has runs."""
    change = await read_message(request, RuleChange, services.settings)
    check_change(project, change)
    return answer(request, await run_in_threadpool(_set, project, fit(change), services))


def _set(project: str, change: RuleChange, services: Services) -> ProjectRules:
    services.store.set_rules(project, change, now=services.clock())
    services.evaluator.rules_set(project)
    return told(project, services.store.rules(project, most=VERSIONS))
