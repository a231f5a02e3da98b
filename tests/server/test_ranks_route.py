"""Ranks at the server's doors: each begins, feeds and ends the one run, and is told apart when asked for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from tests.server.sending import MSGPACK, RUN, START, layer_frame, send
from trainvitals.wire import coding
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, MetricPoints
from trainvitals.wire.messages import RunEnd, RunStart

PATH = "/api/v1/runs/together"
LIVE = f"{PATH}/live"


def put(client: TestClient, path: str, message: object) -> Any:  # Any: the client's response
    return client.put(path, content=coding.encode(message), headers=MSGPACK)


def begin(client: TestClient, rank: int) -> Any:
    said = msgspec.structs.replace(START, name=f"as rank {rank} has it", rank=rank, ranks=4)
    return put(client, PATH, said)


def rank_frame(rank: int, *values: float, metric: str = "loss", seq: int = 0) -> Frame:
    points = MetricPoints(metric=metric, steps=list(range(len(values))), values=Floats.of(values))
    return Frame(run_id="together", writer=50 + rank, seq=seq, rank=rank, metrics=[points])


def test_frames_of_other_ranks_do_not_wait_for_rank_0(client: TestClient) -> None:
    assert begin(client, 2).status_code == 200
    assert send(client, rank_frame(2, 1.0, 2.0)).status_code == 200
    assert begin(client, 0).status_code == 200
    summary = client.get(PATH).json()["summary"]
    assert (summary["name"], summary["ranks"]) == ("as rank 0 has it", 4)


@pytest.mark.parametrize("wrong", [{"rank": -1}, {"ranks": 0}, {"rank": 2**31}, {"ranks": 2**31}])
def test_refuses_a_rank_that_there_cannot_be(client: TestClient, wrong: dict[str, int]) -> None:
    assert put(client, "/api/v1/runs/odd", msgspec.structs.replace(START, **wrong)).status_code == 422


def test_refuses_the_end_of_a_rank_that_there_cannot_be(client: TestClient) -> None:
    begin(client, 0)
    assert put(client, f"{PATH}/end", RunEnd(status="failed", ended_at=2000.0, rank=-1)).status_code == 422


def test_a_rank_that_ends_is_answered_and_the_run_goes_on(client: TestClient) -> None:
    begin(client, 0)
    send(client, rank_frame(1, 1.0))
    ended = put(client, f"{PATH}/end", RunEnd(status="finished", ended_at=2000.0, rank=1))
    assert (ended.status_code, ended.json()["findings"]) == (200, [])
    assert client.get(PATH).json()["summary"]["status"] == "running"


def test_the_failure_of_a_rank_is_the_runs(client: TestClient) -> None:
    begin(client, 0)
    put(client, f"{PATH}/end", RunEnd(status="failed", ended_at=2000.0, error="CUDA out of memory", rank=3))
    put(client, f"{PATH}/end", RunEnd(status="stopped", ended_at=2001.0))
    run = client.get(PATH).json()
    assert (run["summary"]["status"], run["error"]) == ("failed", "rank 3: CUDA out of memory")


def test_answers_with_the_curve_of_every_rank(client: TestClient) -> None:
    begin(client, 0)
    for rank in range(4):
        send(client, rank_frame(rank, 1.0, float(rank)))
    send(client, rank_frame(2, 0.5, metric="seconds/data", seq=1))
    send(client, rank_frame(0, 0.5, metric="lr", seq=1))

    found = client.get(f"{PATH}/ranks?metric=loss&points=50").json()

    assert found["metrics"] == ["loss", "seconds/data"]
    assert [(curve["rank"], curve["steps"], curve["mean"]) for curve in found["curves"]] == [
        (rank, [0, 1], [1.0, float(rank)]) for rank in range(4)
    ]
    assert client.get(f"{PATH}/ranks?metric=accuracy").json()["curves"] == []


def test_a_question_about_ranks_names_a_metric_of_a_run(client: TestClient) -> None:
    assert client.get(f"/api/v1/runs/{RUN}/ranks").status_code == 422
    assert client.get("/api/v1/runs/nobody/ranks?metric=loss").status_code == 404


def test_live_pages_are_not_sent_points_of_other_ranks(client: TestClient) -> None:
    begin(client, 0)
    with client.websocket_connect(LIVE) as socket:
        send(client, rank_frame(1, 7.0, 8.0))
        send(client, rank_frame(0, 1.0, 2.0))
        while not (update := socket.receive_json()).get("metrics"):
            socket.send_text("a")
    assert update["metrics"]["loss"] == [[0, 1], [1.0, 2.0]]


def test_live_pages_hear_that_another_rank_told_of_something(client: TestClient) -> None:
    begin(client, 0)
    with client.websocket_connect(LIVE) as socket:
        send(client, rank_frame(1, 7.0, 8.0))
        while not (update := socket.receive_json()).get("run"):
            socket.send_text("a")
    assert (update["run"]["ranks"], update.get("metrics", {})) == (4, {})


def test_a_run_of_one_process_has_no_other_ranks(client: TestClient) -> None:
    send(client, layer_frame(0))
    assert client.get(f"/api/v1/runs/{RUN}").json()["summary"]["ranks"] == 1
    assert client.get(f"/api/v1/runs/{RUN}/ranks?metric=loss").json() == {
        "run_id": RUN, "metric": "loss", "metrics": [], "curves": [],
    }  # fmt: skip


def test_the_word_of_rank_0_may_come_twice(client: TestClient) -> None:
    begin(client, 0)
    put(client, PATH, RunStart(project="x", name="y", started_at=1.0))
    assert client.get(PATH).json()["summary"]["name"] == "as rank 0 has it"
