"""The dashboard's client reads the server's answers, and says its problems in its words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response

from trainvitals.wire import coding
from trainvitals.wire.answers import Curve, Health, RunPage
from trainvitals.wire.floats import Floats
from trainvitals.wire.messages import Problem
from trainvitals_dashboard.api import Api, ApiError

T = TypeVar("T")


def server() -> FastAPI:
    app = FastAPI()

    @app.get("/api/v1/runs/{run_id}/curve")
    async def answer_curve(run_id: str, request: Request) -> Response:
        asked = dict(request.query_params)
        answer = Curve(
            run_id=run_id, metric=f"{sorted(asked.items())}", steps=[1], last_steps=[1], low=Floats.of([1]),
            mean=Floats.of([float("nan")]), high=Floats.of([1]), nonfinite=[1],
        )  # fmt: skip
        return Response(coding.encode(answer), media_type=coding.MSGPACK)

    @app.get("/api/v1/runs")
    async def runs(request: Request) -> Response:
        assert request.headers["authorization"] == "Bearer secret"
        return Response(coding.encode(RunPage(runs=[], total=3)), media_type=coding.MSGPACK)

    @app.get("/api/v1/runs/{run_id}")
    async def missing(run_id: str) -> Response:
        problem = Problem(type="about:blank", title="Not found", status=404, detail=f"no run {run_id!r}")
        body = coding.encode(problem, media_type=coding.JSON)
        return Response(body, status_code=404, media_type="application/problem+json")

    @app.get("/healthz")
    async def healthz() -> Response:
        said = coding.encode(Health(status="down", version="1", database="disk full"), media_type=coding.JSON)
        return Response(said, status_code=503, media_type=coding.JSON)

    @app.get("/api/v1/runs/{run_id}/findings")
    async def findings(run_id: str) -> Response:
        return Response(b"not msgpack", media_type=coding.MSGPACK)

    return app


def ask(question: Callable[[Api], Awaitable[T]]) -> T:
    async def asked() -> T:
        return await question(Api(server(), token="secret"))

    return asyncio.run(asked())


def test_a_curve_comes_back_with_its_gaps() -> None:
    curve = ask(lambda api: api.metric_curve("a b", "loss"))
    assert (curve.run_id, str(curve.mean.tolist()[0])) == ("a b", "nan")


def test_what_is_not_asked_for_is_not_sent() -> None:
    curve = ask(lambda api: api.metric_curve("r", "loss", first=5))
    assert curve.metric == "[('first', '5'), ('metric', 'loss'), ('points', '1000')]"


def test_the_token_is_shown_to_the_server() -> None:
    assert ask(lambda api: api.runs()).total == 3


def test_a_problem_is_raised_in_the_servers_words() -> None:
    with pytest.raises(ApiError, match="no run 'gone'") as raised:
        ask(lambda api: api.run("gone"))
    assert raised.value.status == 404


def test_a_sick_servers_health_is_still_read() -> None:
    assert ask(lambda api: api.health()).database == "disk full"


def test_an_unreadable_answer_is_said_to_be_one() -> None:
    with pytest.raises(ApiError, match="unreadable"):
        ask(lambda api: api.findings("r"))
