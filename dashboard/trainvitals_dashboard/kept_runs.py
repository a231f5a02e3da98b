"""What runs that ended have answered is kept: a page of forty asks again only of those that go on."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from trainvitals.wire.answers import Curve, RunDetail, RunSummary
from trainvitals_dashboard.api import Api, ApiError

MOST_KEPT: Final = 200  # answers of each sort; a curve of 1000 points has some 30 kB
LISTED_FROM: Final = 5  # runs: to ask for fewer one by one costs less than the list of all


class KeptRuns:
    """Answers of runs, asked for through ``api`` or kept since it was asked before. Only those of runs that are not
    running are kept, and only as long as nothing of the run has changed. Every method raises ApiError."""

    def __init__(self, api: Api, *, most: int = MOST_KEPT) -> None:
        self.api = api
        self._most = most
        self._details: OrderedDict[str, RunDetail] = OrderedDict()
        self._curves: OrderedDict[tuple[Any, ...], Curve] = OrderedDict()  # Any: what a curve depends on

    async def details(self, run_ids: Sequence[str]) -> list[RunDetail | None]:
        """Of each run, in their order; None where it is no more, or in the bin. Which of the kept ones are still
        true, and still there, the list of runs says at once."""
        known = [run_id for run_id in run_ids if run_id in self._details]
        listed = (
            {one.run_id: one for one in (await self.api.runs(text="is:all")).runs} if len(known) >= LISTED_FROM else {}
        )
        return await asyncio.gather(*(self._detail(run_id, listed.get(run_id)) for run_id in run_ids))

    async def _detail(self, run_id: str, listed: RunSummary | None) -> RunDetail | None:
        kept = self._details.get(run_id)
        if kept is not None and listed is not None and _state(kept.summary) == _state(listed):
            self._details.move_to_end(run_id)
            return kept
        self._details.pop(run_id, None)
        try:
            detail = await self.api.run(run_id)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None
        if detail.summary.deleted:
            return None
        if detail.summary.status != "running":
            _keep(self._details, run_id, detail, most=self._most)
        return detail

    async def curve(self, detail: RunDetail, metric: str, *, points: int) -> Curve:
        """A metric of the run, thinned to about ``points`` buckets."""
        run_id = detail.summary.run_id
        key = (_state(detail.summary), metric, points)
        if key in self._curves:
            self._curves.move_to_end(key)
            return self._curves[key]
        curve = await self.api.metric_curve(run_id, metric, points=points)
        if detail.summary.status != "running":
            _keep(self._curves, key, curve, most=self._most)
        return curve


def _keep(kept: OrderedDict[Any, Any], key: Any, answer: Any, *, most: int) -> None:  # Any: of either sort
    kept[key] = answer
    while len(kept) > most:
        kept.popitem(last=False)


def _state(summary: RunSummary) -> tuple[Any, ...]:  # Any: of several types
    """What changes when anything of the run does."""
    moments = (summary.created_at, summary.heartbeat_at, summary.data_at, summary.ended_at)
    return summary.run_id, summary.name, summary.status, summary.last_step, summary.health, *moments
