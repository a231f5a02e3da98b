"""Runs that ended are asked once, and what is told of them is never older than the list of runs."""

from __future__ import annotations

import asyncio
from collections import Counter

from fastapi import FastAPI
from fastapi.responses import Response
from msgspec.structs import replace

from tests.dashboard.test_compare_figures import curve
from tests.dashboard.test_compare_parts import run
from trainvitals.wire import coding
from trainvitals.wire.answers import RunDetail, RunPage
from trainvitals.wire.messages import Problem
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.comparing import Compared, gather_comparison
from trainvitals_dashboard.kept_runs import LISTED_FROM, KeptRuns

NAMES = [f"r{place}" for place in range(LISTED_FROM)]


class Server:
    """A server of ``runs`` that counts what it is ``asked``."""

    def __init__(self, *details: RunDetail) -> None:
        self.runs = {detail.summary.run_id: detail for detail in details}
        self.asked: Counter[str] = Counter()
        self.app = FastAPI()
        self.app.get("/api/v1/runs")(self.listed)
        self.app.get("/api/v1/runs/{run_id}")(self.detail)
        self.app.get("/api/v1/runs/{run_id}/curve")(self.curve)

    async def listed(self) -> Response:
        summaries = [detail.summary for detail in self.runs.values() if not detail.summary.deleted]
        return Response(coding.encode(RunPage(runs=summaries, total=len(summaries))), media_type=coding.MSGPACK)

    async def detail(self, run_id: str) -> Response:
        self.asked[run_id] += 1
        if run_id in self.runs:
            return Response(coding.encode(self.runs[run_id]), media_type=coding.MSGPACK)
        problem = Problem(type="about:blank", title="Not found", status=404, detail="gone")
        return Response(coding.encode(problem, media_type=coding.JSON), status_code=404)

    async def curve(self, run_id: str) -> Response:
        self.asked[f"{run_id} curve"] += 1
        return Response(coding.encode(curve([2.0, 1.0])), media_type=coding.MSGPACK)

    def change(self, run_id: str, **changes: object) -> None:
        detail = self.runs[run_id]
        self.runs[run_id] = replace(detail, summary=replace(detail.summary, **changes))


def looked_at(server: Server, *, most: int = 200, before_second: object = None) -> Compared:
    """The second of two looks; between them ``before_second`` is called."""

    async def twice() -> Compared:
        kept = KeptRuns(Api(server.app), most=most)
        await gather_comparison(kept, NAMES)
        server.asked.clear()
        if callable(before_second):
            before_second()
        return await gather_comparison(kept, NAMES)

    return asyncio.run(twice())


def test_runs_that_ended_are_not_asked_again() -> None:
    server = Server(*(run(name) for name in NAMES), run("going"))
    found = looked_at(server)

    assert server.asked == {}
    assert list(found.curves) == NAMES


def test_a_run_that_goes_on_is_asked_each_time() -> None:
    server = Server(*(run(name) for name in NAMES))
    looked_at(server, before_second=lambda: server.change("r1", status="running", last_step=9))

    assert server.asked == {"r1": 1, "r1 curve": 1}


def test_a_run_that_was_deleted_is_gone_at_once() -> None:
    server = Server(*(run(name) for name in NAMES))
    found = looked_at(server, before_second=lambda: server.runs.pop("r0"))

    assert (found.gone, found.baseline) == (["r0"], "r1")
    assert found.places["r1"] == 1


def test_a_run_in_the_bin_is_gone_too() -> None:
    server = Server(*(run(name) for name in NAMES))
    found = looked_at(server, before_second=lambda: server.change("r0", deleted=True))

    assert found.gone == ["r0"]


def test_no_more_than_so_many_answers_are_kept() -> None:
    server = Server(*(run(name) for name in NAMES))
    looked_at(server, most=1)

    assert sum(server.asked.values()) == 2 * LISTED_FROM - 1
