"""What becomes of frames that are sent: kept once, or refused with a reason."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.server.sending import FRAMES, LOCAL, MSGPACK, RUN, START, layer_frame, loss_frame, send
from trainvitals.wire import coding
from trainvitals.wire.answers import Curve, RunPage
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import LayerStats, Section, encode_frame, sealed, section
from trainvitals.wire.messages import RunEnd
from trainvitals_server.api.pulse import Pulse
from trainvitals_server.app import create_app
from trainvitals_server.settings import Settings
from trainvitals_server.store.interface import ReceivedFrame, RunQuery, Store, StoreUnavailable


def test_keeps_a_frame_once_however_often_it_is_sent(client: TestClient) -> None:
    answers = [send(client, loss_frame(0, 3.0, 2.0)).json() for _ in range(3)]
    assert [answer["duplicate"] for answer in answers] == [False, True, True]
    assert client.get(f"/api/v1/runs/{RUN}/curve?metric=loss").json()["mean"] == [3.0, 2.0]


def test_refuses_a_frame_of_a_run_it_does_not_know(client: TestClient) -> None:
    answer = send(client, loss_frame(0, 1.0, run_id="nobody"))
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_keeps_a_good_frame_that_waits_beside_one_of_an_unknown_run(client: TestClient) -> None:
    frames = [loss_frame(seq, 1.0, run_id=RUN if seq % 2 else "nobody") for seq in range(12)]
    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda frame: send(client, frame).status_code, frames))
    assert codes == [404, 200] * 6


def test_refuses_a_frame_that_states_more_bytes_than_the_limit(client: TestClient) -> None:
    answer = client.post(FRAMES, content=b"x" * (4 * 1024 * 1024 + 1), headers=MSGPACK)
    assert answer.status_code == 413


def test_refuses_a_chunked_frame_as_soon_as_it_exceeds_the_limit(client: TestClient) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(80):
            yield b"x" * 65536

    assert client.post(FRAMES, content=pieces(), headers=MSGPACK).status_code == 413


def _damaged() -> bytes:
    return encode_frame(msgspec.structs.replace(sealed(loss_frame(0, 1.0)), checksum=7))


def _damaged_inside() -> bytes:
    whole = section("grad_norm", np.arange(64, dtype="<f4").tobytes())
    data = whole.data[:-4] + bytes(4)
    part = msgspec.structs.replace(whole, data=data)
    stats = LayerStats(steps=list(range(64)), layers=["a"], sections=[part])
    return encode_frame(sealed(msgspec.structs.replace(loss_frame(0, 1.0), layer_stats=stats)))


def _absurd() -> bytes:
    stats = LayerStats(steps=[1, 2], layers=["a"], sections=[Section(stat="grad_norm", data=Floats.of([1.0]).data)])
    return encode_frame(sealed(msgspec.structs.replace(loss_frame(0, 1.0), layer_stats=stats)))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (encode_frame(loss_frame(0, 1.0))[:-9], "malformed"),
        (msgspec.msgpack.encode({"version": 1, "run_id": 5}), "malformed"),
        (msgspec.msgpack.encode({"version": 99}), "unknown-version"),
        (_damaged(), "checksum-mismatch"),
        (_damaged_inside(), "malformed"),
        (_absurd(), "absurd-shape"),
    ],
    ids=["truncated", "wrong type", "unknown version", "wrong checksum", "damaged inside", "absurd shape"],
)
def test_says_what_is_wrong_with_a_frame(client: TestClient, body: bytes, kind: str) -> None:
    answer = client.post(FRAMES, content=body, headers=MSGPACK)
    assert answer.status_code == 422
    assert answer.json()["type"].endswith(kind)


def test_refuses_a_body_of_another_type(client: TestClient) -> None:
    assert client.post(FRAMES, content=b"a,b", headers={"Content-Type": "text/csv"}).status_code == 415


def test_takes_json_with_words_for_what_is_not_finite(client: TestClient) -> None:
    values = [1.0, "NaN", "-Infinity"]
    frame = {
        "run_id": RUN,
        "writer": 1,
        "seq": 0,
        "metrics": [{"metric": "loss", "steps": [0, 1, 2], "values": values}],
    }
    answer = client.post(FRAMES, content=json.dumps(frame), headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert client.get(f"/api/v1/runs/{RUN}/curve?metric=loss").json()["nonfinite"] == [0, 1, 1]


def test_answers_nan_in_json_and_in_msgpack(client: TestClient) -> None:
    assert send(client, layer_frame(0)).status_code == 200
    path = f"/api/v1/runs/{RUN}/curve?stat=grad_norm&layer=b"
    assert client.get(path).json()["mean"] == ["NaN"]
    packed = client.get(path, headers={"Accept": coding.MSGPACK})
    assert math.isnan(coding.decode(packed.content, Curve).mean.tolist()[0])


class StoreInTrouble:
    """A real store whose appends wait for ``gate``, and fail while ``full``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.full = False
        self.asked, self.answers = threading.Event(), threading.Event()
        self.pings = 0

    def append(self, frames: Sequence[ReceivedFrame]) -> list[bool]:
        self.entered.set()
        self.gate.wait(30)
        if self.full:
            raise StoreUnavailable("the disk is full")
        return self._store.append(frames)

    def runs(self, query: RunQuery) -> RunPage:
        self.asked.set()
        self.answers.wait(30)
        return self._store.runs(query)

    def ping(self) -> None:
        self.pings += 1
        self.gate.wait(30)
        if self.full:
            raise StoreUnavailable("the disk is full")
        self._store.ping()

    def __getattr__(self, name: str) -> Any:  # Any: whatever the real store has
        return getattr(self._store, name)


def test_asks_to_come_again_when_the_queue_is_full(settings: Settings, store: Store) -> None:
    slow = StoreInTrouble(store)
    small = Settings(database=settings.database, queue_bytes=200)
    with TestClient(create_app(small, store=slow), headers=LOCAL) as client, ThreadPoolExecutor(1) as pool:
        client.put(f"/api/v1/runs/{RUN}", content=coding.encode(START), headers=MSGPACK)
        first = pool.submit(send, client, loss_frame(0, 1.0))
        assert slow.entered.wait(10)
        refused = send(client, loss_frame(1, *[1.0] * 20))
        slow.gate.set()
        assert first.result(10).status_code == 200
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")


def test_takes_frames_while_every_thread_waits_for_an_answer(settings: Settings, store: Store) -> None:
    slow = StoreInTrouble(store)
    with TestClient(create_app(settings, store=slow), headers=LOCAL) as client, ThreadPoolExecutor(61) as pool:
        client.put(f"/api/v1/runs/{RUN}", content=coding.encode(START), headers=MSGPACK)
        questions = [pool.submit(client.get, "/api/v1/runs") for _ in range(60)]
        assert slow.asked.wait(10)
        slow.gate.set()
        answer = pool.submit(send, client, loss_frame(0, 1.0)).result(10)
        assert not any(question.done() for question in questions)
        slow.answers.set()
        assert {question.result(30).status_code for question in questions} == {200}
    assert answer.status_code == 200


def test_a_store_that_hangs_is_asked_once_however_many_want_to_know(store: Store) -> None:
    hanging = StoreInTrouble(store)

    async def ask() -> list[object]:
        pulse = Pulse(hanging)
        asked = await asyncio.gather(*(pulse.check(seconds=0.1) for _ in range(20)), return_exceptions=True)
        hanging.gate.set()
        await pulse.check(seconds=10)
        return asked

    assert {type(said) for said in asyncio.run(ask())} == {TimeoutError}
    assert hanging.pings == 1


def test_says_that_the_disk_is_full_and_goes_on_when_it_is_not(settings: Settings, store: Store) -> None:
    troubled = StoreInTrouble(store)
    troubled.gate.set()
    with TestClient(create_app(settings, store=troubled), headers=LOCAL) as client:
        client.put(f"/api/v1/runs/{RUN}", content=coding.encode(START), headers=MSGPACK)
        troubled.full = True
        refused, health = send(client, loss_frame(0, 1.0)), client.get("/healthz")
        troubled.full = False
        assert send(client, loss_frame(0, 1.0)).json()["duplicate"] is False
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert (health.status_code, health.json()["detail"]) == (503, "the disk is full")


def test_answers_the_end_of_a_run_with_what_was_found_in_it(client: TestClient) -> None:
    send(client, loss_frame(0, 1.0, math.nan))
    end = RunEnd(status="finished", ended_at=2000.0)
    answer = client.put(f"/api/v1/runs/{RUN}/end", content=coding.encode(end), headers=MSGPACK).json()
    assert (answer["health"], [finding["rule"] for finding in answer["findings"]]) == (30, ["non_finite_values"])
