"""A close look that is asked for reaches the training with its next answer, whichever process took the request."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from tests.server.sending import LOCAL, MSGPACK, RUN, START, loss_frame, send
from trainvitals.wire import coding
from trainvitals.wire.capture import CaptureAnswer
from trainvitals.wire.messages import RunEnd
from trainvitals_server.app import create_app
from trainvitals_server.settings import Settings
from trainvitals_server.store.interface import Store
from trainvitals_server.store.opening import open_store

PATH = f"/api/v1/runs/{RUN}"


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def running(settings: Settings, store: Store, clock: Clock) -> TestClient:
    app = create_app(settings, store=store, clock=clock)
    return TestClient(app, headers=LOCAL, raise_server_exceptions=False)


@pytest.fixture
def client(settings: Settings, store: Store, clock: Clock) -> Iterator[TestClient]:
    with running(settings, store, clock) as client:
        client.put(PATH, content=coding.encode(START), headers=MSGPACK)
        yield client


def heard(client: TestClient) -> Any:  # Any: JSON
    return client.post(f"{PATH}/heartbeat").json()["capture"]


def say(client: TestClient, outcome: Any, number: int = 1) -> None:
    answer = CaptureAnswer(number=number, outcome=outcome, step=30)
    said = client.put(f"{PATH}/capture", content=coding.encode(answer), headers=MSGPACK)
    assert said.status_code == 204


def test_frames_and_heartbeats_are_answered_with_it_until_the_training_has_answered(client: TestClient) -> None:
    assert (send(client, loss_frame(0, 1.0)).json()["capture"], heard(client)) == (None, None)
    asked = client.post(f"{PATH}/capture")
    assert (asked.status_code, asked.json()["number"]) == (200, 1)
    assert (send(client, loss_frame(1, 1.0)).json()["capture"], heard(client)) == (1, 1)
    say(client, "begun")
    assert (send(client, loss_frame(2, 1.0)).json()["capture"], heard(client)) == (None, None)
    assert client.get(PATH).json()["capture"] == {"number": 1, "asked_at": 1000.0, "outcome": "begun", "step": 30}


def test_asking_twice_is_asking_once(client: TestClient) -> None:
    asked = [client.post(f"{PATH}/capture").json() for _ in range(2)]
    assert asked[0] == asked[1]


def test_a_request_is_not_carried_out_long_after(client: TestClient, clock: Clock) -> None:
    client.post(f"{PATH}/capture")
    clock.now += 3600
    assert heard(client) is None


def test_other_ranks_are_not_asked(client: TestClient) -> None:
    client.post(f"{PATH}/capture")
    other = msgspec.structs.replace(loss_frame(0, 1.0), rank=1)
    assert send(client, other).json()["capture"] is None


def test_another_server_process_hands_it_on(client: TestClient, settings: Settings, clock: Clock) -> None:
    other_store = open_store(settings.database)
    with running(settings, other_store, clock) as other:
        assert heard(other) is None
        client.post(f"{PATH}/capture")
        clock.now += 2
        assert heard(other) == 1
        say(other, "too soon")
    other_store.close()
    clock.now += 2
    assert heard(client) is None


def test_frames_are_not_held_up_by_the_look_for_it(client: TestClient, settings: Settings, clock: Clock) -> None:
    other_store = open_store(settings.database)
    with running(settings, other_store, clock) as other:
        client.post(f"{PATH}/capture")
        answers = [send(other, loss_frame(seq, 1.0)).json()["capture"] for seq in range(50)]
    other_store.close()
    assert answers[0] is None
    assert answers[-1] == 1


@pytest.mark.parametrize("status", ["finished", "failed", "stopped"])
def test_a_training_that_is_over_is_not_asked(client: TestClient, status: Any) -> None:
    end = RunEnd(status=status, ended_at=1001.0)
    client.put(f"{PATH}/end", content=coding.encode(end), headers=MSGPACK)
    answer = client.post(f"{PATH}/capture")
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert answer.json()["type"].endswith("run-not-running")
    assert status in answer.json()["detail"]


def test_refuses_what_no_training_says(client: TestClient) -> None:
    wrong = [{"number": 1, "outcome": "later"}, {"number": 1, "outcome": "begun", "step": -1}, {}]
    assert [client.put(f"{PATH}/capture", json=answer).status_code for answer in wrong] == [422, 422, 422]
    assert client.post("/api/v1/runs/none/capture").status_code == 404


def test_who_does_not_know_the_token_asks_nothing(settings: Settings, store: Store, clock: Clock) -> None:
    with running(dataclasses.replace(settings, token="secret"), store, clock) as client:
        assert client.post(f"{PATH}/capture").status_code == 401


def test_a_page_that_is_open_is_told(client: TestClient) -> None:
    with client.websocket_connect(f"{PATH}/live?since=0") as socket:
        socket.receive_json()
        socket.send_text("a")
        client.post(f"{PATH}/capture")
        while not (update := socket.receive_json()).get("noted"):
            socket.send_text("a")
    assert update["noted"] is True
