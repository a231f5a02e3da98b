"""What becomes of a preflight that is sent: kept, answered with its run, refused where it makes no sense."""

from __future__ import annotations

import math
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.server.sending import MSGPACK, RUN
from trainvitals.wire import coding
from trainvitals.wire.answers import RunDetail
from trainvitals.wire.preflight import MAX_CHECKS, MAX_TEXT, PreflightCheck, PreflightReport

PATH = f"/api/v1/runs/{RUN}"
CHECK = PreflightCheck(
    name="initial_loss",
    stage="confirm the loss",
    status="failed",
    summary="the first loss is 12.1, chance is 2.3",
    numbers={"loss": 12.1, "chance": "NaN"},
    advice=["Look at the scale of the inputs."],
)


def put(client: TestClient, *checks: PreflightCheck, path: str = PATH) -> Any:  # Any: the client's response
    content = coding.encode(PreflightReport(checks=list(checks)))
    return client.put(f"{path}/preflight", content=content, headers=MSGPACK)


def kept(client: TestClient) -> list[PreflightCheck]:
    answer = client.get(PATH, headers={"Accept": coding.MSGPACK})
    return coding.decode(answer.content, RunDetail).preflight


def test_is_kept_however_often_it_is_sent_and_replaced_by_the_next(client: TestClient) -> None:
    assert kept(client) == []
    assert [put(client, CHECK).status_code for _ in range(2)] == [204, 204]
    assert kept(client) == [CHECK]

    other = PreflightCheck(name="input_used", stage="confirm the loss", status="passed", summary="it is")
    assert put(client, other).status_code == 204
    assert kept(client) == [other]


def test_can_be_sent_and_asked_for_as_json(client: TestClient) -> None:
    body = coding.encode(PreflightReport(checks=[CHECK]), media_type=coding.JSON)

    assert client.put(f"{PATH}/preflight", content=body, headers={"Content-Type": coding.JSON}).status_code == 204
    assert client.get(PATH).json()["preflight"][0]["numbers"] == {"loss": 12.1, "chance": "NaN"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "n" * 600},
        {"summary": "s" * (MAX_TEXT + 1)},
        {"advice": ["try"] * 51},
        {"numbers": {"loss": math.inf}},
        {"numbers": {f"n{place}": 1.0 for place in range(51)}},
    ],
)
def test_refuses_what_could_not_be_shown(client: TestClient, wrong: dict[str, Any]) -> None:
    answer = put(
        client, PreflightCheck(**{"name": "x", "stage": "start simple", "status": "passed", "summary": "", **wrong})
    )

    assert (answer.status_code, kept(client)) == (422, [])


def test_refuses_more_checks_than_anybody_reads(client: TestClient) -> None:
    assert put(client, *[CHECK] * (MAX_CHECKS + 1)).status_code == 422


@pytest.mark.parametrize("field", [{"status": "fine"}, {"stage": "deploy"}, {"numbers": {"loss": [1]}}])
def test_refuses_words_that_are_not_the_wire_s(client: TestClient, field: dict[str, Any]) -> None:
    plain = {"name": "x", "stage": "start simple", "status": "passed", "summary": "", **field}
    body = coding.encode({"checks": [plain]}, media_type=coding.JSON)

    answer = client.put(f"{PATH}/preflight", content=body, headers={"Content-Type": coding.JSON})

    assert answer.status_code == 422


def test_of_a_run_that_is_not_there_is_refused(client: TestClient) -> None:
    assert put(client, CHECK, path="/api/v1/runs/nobody").status_code == 404
