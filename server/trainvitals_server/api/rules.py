"""The routes for the rules and their pages."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from trainvitals_server.api.answers import PROBLEMS, answer
from trainvitals_server.api.problems import Refused
from trainvitals_server.api.rulebook import rule_page, rule_titles

router = APIRouter(prefix="/api/v1/rules", tags=["rules"])


@router.get("", responses=PROBLEMS)
def list_rules(request: Request) -> Response:
    """Names and titles of the rules."""
    return answer(request, rule_titles())


@router.get("/{name}", responses=PROBLEMS, response_class=PlainTextResponse)
def show_rule(name: str) -> Response:
    """A rule's page as Markdown."""
    page = rule_page(name)
    if page is None:
        raise Refused(HTTPStatus.NOT_FOUND, "rule-not-found", f"no rule {name!r}: GET /api/v1/rules lists them")
    return PlainTextResponse(page, media_type="text/markdown")
