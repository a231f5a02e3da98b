"""The routes that answer questions about runs; synchronous, so that each runs on a thread of its own."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from trainvitals.wire.answers import (
    Curve,
    Heatmap,
    LayerHistograms,
    RankCurves,
    RunDetail,
    RunPage,
    Snapshot,
)
from trainvitals.wire.histograms import ValueKind
from trainvitals_server.api.answers import PROBLEMS, answer, answers
from trainvitals_server.api.checks import existing
from trainvitals_server.api.problems import Refused
from trainvitals_server.api.services import Given
from trainvitals_server.store.interface import RunQuery, SeriesNotFound, Span

Step = Annotated[int | None, Query(ge=0, le=2**53)]
Names = Annotated[Sequence[str], Query(max_length=100)]
Rank = Annotated[int, Query(ge=0, lt=2**31)]
EXISTING: Final = [Depends(existing)]
router = APIRouter(prefix="/api/v1/runs", tags=["runs"])


@router.get("", responses=answers(RunPage))
def list_runs(
    request: Request,
    services: Given,
    project: str | None = None,
    text: str = "",
    status: str | None = None,
    sort_by: str = "created",
    descending: bool = True,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    setting: Names = (),
) -> Response:
    """A page of the runs table. ``text``: words of name, project, group, tags and memo, and conditions such as
    ``health:<60`` or ``lr>0.01``, which docs/api.md lists; archived runs only where they ask for them. ``setting``,
    which may be given several times: settings that each row is to tell."""
    query = RunQuery(
        project=project,
        text=text,
        status=status,
        sort_by=sort_by,
        descending=descending,
        offset=offset,
        limit=limit,
        hides_archived=True,
        settings=tuple(setting),
        now=services.clock(),
    )
    return answer(request, services.store.runs(query))


@router.get("/{run_id}", dependencies=EXISTING, responses=answers(RunDetail))
def show_run(run_id: str, request: Request, services: Given, *, follow: bool = False) -> Response:
    """All that is known of a run but its series. ``follow``: also where its live feed stands, which is kept for a
    minute until the websocket is opened there: a page misses nothing, and need not be drawn twice."""
    feed = services.hub.expect(run_id) if follow else None
    run = services.store.run(run_id)
    services.hub.knows(run_id, attempt=run.attempt)
    return answer(request, replace(run, feed=feed))


@router.get("/{run_id}/curve", dependencies=EXISTING, responses=answers(Curve))
def show_curve(
    run_id: str,
    request: Request,
    services: Given,
    metric: str | None = None,
    stat: str | None = None,
    layer: str | None = None,
    first: Step = None,
    last: Step = None,
    points: Annotated[int, Query(ge=1, le=20_000)] = 1000,
    rank: Rank = 0,
) -> Response:
    """A series: name a ``metric``, or a ``stat`` and a ``layer``."""
    span = Span(first=first, last=last)
    store = services.store
    if metric is not None and stat is None and layer is None:
        return answer(request, store.metric_curve(run_id, metric, span=span, points=points, rank=rank))
    if metric is None and stat is not None and layer is not None:
        return answer(request, store.stat_curve(run_id, stat, layer, span=span, points=points, rank=rank))
    detail = "name the series: ?metric=…, or ?stat=…&layer=…"
    raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-parameter", detail)


@router.get("/{run_id}/ranks", dependencies=EXISTING, responses=answers(RankCurves))
def show_ranks(
    run_id: str,
    request: Request,
    services: Given,
    metric: str,
    points: Annotated[int, Query(ge=1, le=2000)] = 300,
) -> Response:
    """A metric as each rank recorded it."""
    return answer(request, services.store.rank_curves(run_id, metric, points=points))


@router.get("/{run_id}/heatmap", dependencies=EXISTING, responses=answers(Heatmap))
def show_heatmap(
    run_id: str,
    request: Request,
    services: Given,
    stat: str,
    first: Step = None,
    last: Step = None,
    buckets: Annotated[int, Query(ge=1, le=2000)] = 400,
    rank: Rank = 0,
) -> Response:
    """A stat of all layers over the run."""
    span = Span(first=first, last=last)
    return answer(request, services.store.heatmap(run_id, stat, span=span, buckets=buckets, rank=rank))


@router.get("/{run_id}/histograms", dependencies=EXISTING, responses=answers(LayerHistograms))
def show_histograms(
    run_id: str,
    request: Request,
    services: Given,
    layer: str,
    kind: ValueKind,
    first: Step = None,
    last: Step = None,
    columns: Annotated[int, Query(ge=1, le=1000)] = 100,
    rank: Rank = 0,
) -> Response:
    """How the values of one layer were distributed, over the run."""
    span = Span(first=first, last=last)
    return answer(request, services.store.histograms(run_id, kind, layer, span=span, columns=columns, rank=rank))


@router.get("/{run_id}/snapshot", dependencies=EXISTING, responses=answers(Snapshot))
def show_snapshot(run_id: str, request: Request, services: Given, rank: Rank = 0) -> Response:
    """The newest snapshot."""
    snapshot = services.store.snapshot(run_id, rank=rank)
    if snapshot is None:
        raise SeriesNotFound(run_id, "snapshot")
    return answer(request, snapshot)


@router.delete("/{run_id}", dependencies=EXISTING, status_code=HTTPStatus.NO_CONTENT, responses=PROBLEMS)
def delete_run(run_id: str, services: Given) -> Response:
    """Forget a run and all that belongs to it."""
    services.store.delete_run(run_id)
    services.evaluator.forget(run_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)
