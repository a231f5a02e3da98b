"""The routes that answer with findings, and by which people do something about them."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from trainvitals.wire.answers import FindingList
from trainvitals.wire.messages import Finding, FindingAct
from trainvitals.wire.ordering import in_order
from trainvitals_server.api.answers import answer, answers, takes
from trainvitals_server.api.bodies import read_message
from trainvitals_server.api.checks import check_act, existing
from trainvitals_server.api.services import Given
from trainvitals_server.evaluator.health import layer_health
from trainvitals_server.store.interface import StoreUnavailable

ACT_SECONDS: Final = 10.0  # the evaluator may be at a run that is long
EXISTING: Final = [Depends(existing)]
router = APIRouter(prefix="/api/v1/runs/{run_id}/findings", tags=["findings"], dependencies=EXISTING)


@router.get("", responses=answers(FindingList))
def list_findings(run_id: str, request: Request, services: Given) -> Response:
    """The findings of a run, and the health of the layers that they concern. Causes that lead stand by the gravest that
    they bring, beneath each what follows from it; what is resolved comes last."""
    found = [finding for finding, _ in in_order(services.store.findings(run_id))]
    return answer(request, FindingList(findings=found, layer_health=layer_health(found)))


@router.post("/{finding_id}", responses=answers(Finding), openapi_extra=takes(FindingAct))
async def act_on_finding(run_id: str, finding_id: str, request: Request, services: Given) -> Response:
    """Acknowledge a finding, snooze it for some steps, resolve it, open it again, or comment on it. What a person has
    resolved opens again only if it grows graver; what is acknowledged or snoozed is open again then, too."""
    act = await read_message(request, FindingAct, services.settings)
    check_act(act)
    asked = services.evaluator.act(run_id, finding_id, act)
    try:
        finding = await asyncio.wait_for(asyncio.wrap_future(asked), ACT_SECONDS)
    except TimeoutError as error:
        raise StoreUnavailable("the run is being judged, which takes long: try again") from error
    return answer(request, finding)
