"""What a run may be called and say of itself, and what becomes of its end."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from starlette.testclient import TestClient

from tests.server.sending import LOCAL, MSGPACK, RUN, START, loss_frame, send
from trainvitals.wire import coding
from trainvitals.wire.frame import encode_frame
from trainvitals.wire.messages import RunEnd
from trainvitals_server.app import create_app
from trainvitals_server.settings import Settings
from trainvitals_server.store.interface import ReceivedFrame, Store

PATH = f"/api/v1/runs/{RUN}"


def put(client: TestClient, path: str, message: object) -> Any:  # Any: the client's response
    return client.put(path, content=coding.encode(message), headers=MSGPACK)


@pytest.mark.parametrize(
    "wrong",
    [
        {"started_at": math.nan},
        {"started_at": math.inf},
        {"name": ""},
        {"name": "n" * 513},
        {"project": "p" * 4000},
        {"group": "g" * 513},
        {"tags": ["t"] * 101},
        {"tags": ["t" * 513]},
        {"config": {"lr": msgspec.msgpack.Ext(5, b"x")}},
        {"environment": {"shape": {(1, 2): 3}}},
    ],
)
def test_refuses_a_start_that_could_not_be_kept_or_shown(client: TestClient, wrong: dict[str, Any]) -> None:
    answer = put(client, "/api/v1/runs/odd", msgspec.structs.replace(START, **wrong))
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert client.get("/api/v1/runs/odd").status_code == 404


def test_keeps_what_is_odd_but_can_be_kept(client: TestClient) -> None:
    odd = {"lr": math.nan, "bytes": b"\x00", "nul": "a\0b", "nested": {"1": [None, True]}}
    assert put(client, "/api/v1/runs/odd", msgspec.structs.replace(START, config=odd)).status_code == 200
    assert client.get("/api/v1/runs/odd").json()["config"]["nested"] == {"1": [None, True]}


@pytest.mark.parametrize("ended_at", [math.nan, -1.0, math.inf])
def test_refuses_an_end_at_no_time(client: TestClient, ended_at: float) -> None:
    assert put(client, f"{PATH}/end", RunEnd(status="finished", ended_at=ended_at)).status_code == 422
    assert client.get(PATH).json()["summary"]["status"] == "running"


@pytest.mark.parametrize("run_id", ["\0", "a\0b", "x" * 129, "line\nbreak"])
def test_no_run_is_called_by_what_is_no_name(client: TestClient, run_id: str) -> None:
    path = f"/api/v1/runs/{quote(run_id, safe='')}"
    asked = [client.get(path), client.get(f"{path}/curve?metric=loss"), client.post(f"{path}/heartbeat")]
    assert [answer.status_code for answer in asked] == [404, 404, 404]
    assert put(client, path, START).status_code == 422


def test_a_body_must_say_what_it_is(client: TestClient) -> None:
    body = coding.encode(START, media_type=coding.JSON)
    answer = client.put("/api/v1/runs/untyped", content=body)
    assert (answer.status_code, "Content-Type" in answer.json()["detail"]) == (415, True)


def test_refuses_a_name_per_step_in_plain_words(client: TestClient) -> None:
    frame = loss_frame(0, 1.0)
    (points,) = frame.metrics
    many = [msgspec.structs.replace(points, metric=f"loss at {step}") for step in range(10_000)]
    assert send(client, msgspec.structs.replace(frame, metrics=many)).status_code == 200

    answer = send(client, loss_frame(1, 1.0))

    assert (answer.status_code, "fewer names" in answer.json()["detail"]) == (422, True)


def test_the_answer_to_an_end_tells_what_was_found(client: TestClient) -> None:
    send(client, loss_frame(0, 1.0, math.nan))
    ended = put(client, f"{PATH}/end", RunEnd(status="finished", ended_at=1001.0)).json()
    assert [finding["rule"] for finding in ended["findings"]] == ["non_finite_values"]
    assert ended["health"] == 30


def test_a_run_that_ended_while_the_server_stopped_is_judged_at_the_next_start(
    settings: Settings, store: Store
) -> None:
    store.start_run(RUN, START, now=1000.0)
    frame = loss_frame(0, 1.0, math.nan)
    store.append([ReceivedFrame(frame=frame, payload=encode_frame(frame), received_at=1000.0)])
    store.end_run(RUN, RunEnd(status="failed", ended_at=1001.0))

    with TestClient(create_app(settings, store=store), headers=LOCAL) as client:
        put(client, f"{PATH}/end", RunEnd(status="failed", ended_at=1001.0))  # answered when it is judged
        found = client.get(f"{PATH}/findings").json()["findings"]

    assert [finding["rule"] for finding in found] == ["non_finite_values"]


def test_a_run_that_is_deleted_and_begun_again_is_another(client: TestClient) -> None:
    send(client, loss_frame(0, 1.0, math.nan))
    assert client.delete(PATH).status_code == 204
    assert put(client, PATH, START).status_code == 200
    send(client, loss_frame(0, 1.0, 0.9))
    ended = put(client, f"{PATH}/end", RunEnd(status="finished", ended_at=1001.0)).json()
    assert (ended["findings"], ended["health"]) == ([], 100)
