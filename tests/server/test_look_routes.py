"""Looks inside by HTTP: sent once, asked for by layer and step."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.server.sending import MSGPACK, RUN
from trainvitals.wire import coding
from trainvitals.wire.answers import LookedInto
from trainvitals.wire.looks import LayerPictures, Look, Picture, packed, pixels

PATH = f"/api/v1/runs/{RUN}/looks"


def look(step: int) -> Look:
    one = packed(Picture(kind="attention", example=0, height=1, width=3, high=1.0, data=bytes([1, 2, 255])))
    return Look(step=step, examples=1, layers=[LayerPictures(layer="blocks.0", pictures=[one])])


def send(client: TestClient, step: int) -> Any:  # Any: the client's response
    return client.post(PATH, content=coding.encode(look(step)), headers=MSGPACK)


def test_is_taken_and_told(client: TestClient) -> None:
    assert [send(client, step).status_code for step in (0, 4, 4)] == [204, 204, 204]

    answer = client.get(PATH).json()
    assert (answer["run_id"], answer["steps"]) == (RUN, [0, 4])
    (layer,) = answer["layers"]
    assert (layer["layer"], layer["kinds"], layer["steps"]) == ("blocks.0", ["attention"], [0, 4])


def test_gives_pictures_in_msgpack_and_in_json(client: TestClient) -> None:
    send(client, 4)
    asked: dict[str, str | int] = {"layer": "blocks.0", "step": 9}
    binary = client.get(f"{PATH}/pictures", params=asked, headers={"Accept": coding.MSGPACK})
    (picture,) = coding.decode(binary.content, LookedInto).pictures
    plain = client.get(f"{PATH}/pictures", params=asked).json()

    assert pixels(picture) == bytes([1, 2, 255])
    assert plain["step"] == 4
    assert base64.b64decode(plain["pictures"][0]["data"]) == picture.data


def test_takes_plain_json(client: TestClient) -> None:
    raw = base64.b64encode(bytes([0, 254])).decode()
    picture = {"kind": "input", "height": 1, "width": 2, "high": 1.0, "data": raw}
    body = {"step": 0, "layers": [{"layer": "", "pictures": [picture]}]}

    assert client.post(PATH, json=body).status_code == 204
    assert client.get(f"{PATH}/pictures").json()["pictures"][0]["width"] == 2


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"step": 0, "layers": []}, "absurd-shape"),
        ({"version": 2, "step": 0, "layers": []}, "unknown-version"),
        ({"step": 0}, "malformed"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(client: TestClient, body: dict[str, Any], problem: str) -> None:
    answer = client.post(PATH, json=body)
    assert (answer.status_code, answer.json()["type"]) == (422, f"urn:trainvitals:problem:{problem}")


def test_says_what_is_not_there(client: TestClient) -> None:
    assert client.get(PATH).json()["steps"] == []
    assert client.get(f"{PATH}/pictures", params={"layer": "blocks.0"}).status_code == 404
    assert client.get("/api/v1/runs/nobody/looks").json()["type"].endswith("run-not-found")
    assert client.get(f"{PATH}/pictures", params={"step": -1}).status_code == 422


def test_a_page_that_looks_on_hears_of_it(client: TestClient) -> None:
    with client.websocket_connect(f"/api/v1/runs/{RUN}/live?since=0") as feed:
        send(client, 0)
        while not (update := feed.receive_json()).get("looked"):
            feed.send_json({"ack": update.get("seq", 0)})
    assert client.get(PATH).json()["steps"] == [0]  # what it finds when it asks anew


def test_the_routes_are_described(client: TestClient) -> None:
    document = client.get("/api/openapi.json").json()
    assert {"Look", "Looks", "LookedInto", "Picture"} <= set(document["components"]["schemas"])
