"""``GET /healthz``: whether the server can do its work, in plain words."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import sqlalchemy as sa
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from trainvitals.version import __version__
from trainvitals.wire.answers import Health
from trainvitals_server.api.answers import answer, answers
from trainvitals_server.api.problems import RETRY_AFTER_SECONDS
from trainvitals_server.api.services import Given
from trainvitals_server.store.interface import StoreUnavailable

ANSWER_SECONDS: Final = 5.0  # who asks, asks often, and gives up early
SLOW: Final = f"the database has not answered for {ANSWER_SECONDS:.0f} seconds"
router = APIRouter(tags=["health"])


@router.get("/healthz", responses=answers(Health))
async def health(request: Request, services: Given) -> Response:
    """200 while frames can be stored, else 503 and why not."""
    backend = sa.make_url(services.settings.database).get_backend_name()
    try:
        await services.pulse.check(seconds=ANSWER_SECONDS)
    except (StoreUnavailable, TimeoutError) as error:
        reason = error.reason if isinstance(error, StoreUnavailable) else SLOW
        bad = Health(status="unavailable", version=__version__, database=backend, detail=reason)
        refusal = answer(request, bad, status=HTTPStatus.SERVICE_UNAVAILABLE)
        refusal.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return refusal
    return answer(request, Health(status="ok", version=__version__, database=backend))
