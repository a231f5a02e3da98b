"""The routes for a run's checklist, and for what changed since the project's last healthy run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from trainvitals.wire.answers import Curve, Heatmap, RunDetail
from trainvitals.wire.checklist import Changes, Checklist, LayerParting, Parting
from trainvitals.wire.definitions import Definitions
from trainvitals_server.api.answers import answer, answers
from trainvitals_server.api.checks import existing
from trainvitals_server.api.services import Given
from trainvitals_server.diagnosis.changes import BATCH_FACTS, changes, first_batch, is_like
from trainvitals_server.diagnosis.checklist.telling import checklist
from trainvitals_server.diagnosis.layer_parting import STATS, first_apart, first_difference
from trainvitals_server.diagnosis.parting import parting
from trainvitals_server.store.interface import RunNotFound, RunQuery, SeriesNotFound, Span, Store

EXISTING: Final = [Depends(existing)]
WHOLE: Final = Span()
FIRST: Final = Span(last=999)
FIRST_POINTS: Final = 1000  # as they were recorded
POINTS: Final = 400
DENSE: Final = Span(last=99)  # of layers: each snapshot for itself
DENSE_COLUMNS: Final = 100
COLUMNS: Final = 200  # of whole heatmaps
MOST_LAYERS: Final = 2000
NEWEST_RUNS: Final = 200  # among which one of the same name is looked for
NEAREST_RUNS: Final = 20  # of these, whose models are looked at
router = APIRouter(prefix="/api/v1/runs/{run_id}", tags=["checklist"], dependencies=EXISTING)


@router.get("/checklist", responses=answers(Checklist))
def show_checklist(run_id: str, request: Request, services: Given) -> Response:
    """The five stages of the method, and what preflight, rules and record say of each: passed, failed, or not known
    and how to find out."""
    store = services.store
    run = store.run(run_id)
    settings = next(iter(store.rules(run.summary.project, most=1)), None)
    return answer(request, checklist(run, store.findings(run_id), muted=settings.muted if settings else ()))


@router.get("/changes", responses=answers(Changes))
def show_changes(run_id: str, request: Request, services: Given, against: str | None = None) -> Response:
    """What differs from another run: the one that is named, or the project's newest before it that has finished and is
    healthy, of a model like it, and of the same name if there is one."""
    store = services.store
    now = store.run(run_id)
    other = against if against is not None else _last_healthy(store, now)
    if other is None:
        return answer(request, Changes(run_id=run_id))
    before = store.run(other)
    batch = first_batch(_first_facts(store, now), _first_facts(store, before))
    found = changes(
        now, before, batch=batch, parting=_parting(store, now, before), layer_parting=_layer_parting(store, now, before)
    )
    return answer(request, found)


def _last_healthy(store: Store, run: RunDetail) -> str | None:
    summary = run.summary
    query = RunQuery(
        project=summary.project,
        status="finished",
        created_before=summary.created_at,
        is_healthy=True,
        limit=NEWEST_RUNS,
    )
    found = list(store.runs(query).runs)
    found.sort(key=lambda one: (one.little_known, one.name != summary.name))  # else as they are, the newest first
    for candidate in found[:NEAREST_RUNS]:
        with contextlib.suppress(RunNotFound):  # one that is deleted meanwhile
            if is_like(run, store.run(candidate.run_id)):
                return candidate.run_id
    return None


def _first_facts(store: Store, run: RunDetail) -> dict[str, float]:
    """What was seen of the run's first batch."""
    known = [fact for fact in BATCH_FACTS if fact in run.metrics]
    curves = {fact: store.metric_curve(run.summary.run_id, fact, span=FIRST, points=FIRST_POINTS) for fact in known}
    return {fact: curve.mean.tolist()[0] for fact, curve in curves.items() if curve.steps}


def _parting(store: Store, now: RunDetail, before: RunDetail) -> Parting | None:
    in_both = set(now.metrics).intersection(before.metrics)
    metric = Definitions(now.notes.metrics).metric("loss", in_both)
    if metric is None:
        return None

    def curve(run: RunDetail, span: Span, points: int) -> Curve:
        return store.metric_curve(run.summary.run_id, metric, span=span, points=points)

    return parting(
        curve(now, WHOLE, POINTS),
        curve(before, WHOLE, POINTS),
        first_now=curve(now, FIRST, FIRST_POINTS),
        first_before=curve(before, FIRST, FIRST_POINTS),
    )


def _layer_parting(store: Store, now: RunDetail, before: RunDetail) -> LayerParting | None:
    """None where the runs have nothing of layers in common, or so many layers that it would take long."""
    if max(len(now.layers), len(before.layers)) > MOST_LAYERS:
        return None

    def both(span: Span, buckets: int) -> Iterator[tuple[Heatmap, Heatmap]]:
        for stat in STATS:
            with contextlib.suppress(SeriesNotFound):
                one, other = (
                    store.heatmap(run.summary.run_id, stat, span=span, buckets=buckets) for run in (now, before)
                )
                yield one, other

    last = min(now.summary.last_step or 0, before.summary.last_step or 0)
    first, apart = first_difference(both(DENSE, DENSE_COLUMNS)), first_apart(both(Span(last=last), COLUMNS))
    if first.until is None and apart.until is None:
        return None
    return LayerParting(first=first.found, apart=apart.found, same_steps=first.until, compared_until=apart.until)
