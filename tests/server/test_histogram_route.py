"""Histograms by HTTP: sent in frames, asked for by layer and kind."""

from __future__ import annotations

import math

import pytest
from starlette.testclient import TestClient

from tests.server.sending import FRAMES, RUN, send
from trainvitals.wire import coding
from trainvitals.wire.answers import LayerHistograms
from trainvitals.wire.frame import Frame
from trainvitals.wire.histograms import BINS, CELLS, HistogramPart, Histograms

PATH = f"/api/v1/runs/{RUN}/histograms"
HALVES = [0] * 31 + [32_767, 32_768] + [0] * 31 + [0]
SPOILT = [0] * 64 + [65_535]


def histogram_frame(seq: int, *cells: list[int]) -> Frame:
    """Of one layer, "a.b", at steps from ``seq`` times ten."""
    steps = [seq * 10 + place for place in range(len(cells))]
    part = HistogramPart(kind="gradients", values=[cell for column in cells for cell in column])
    return Frame(run_id=RUN, writer=1, seq=seq, histograms=Histograms(steps=steps, layers=["a.b"], parts=[part]))


def test_answers_with_the_shares_of_one_layer(client: TestClient) -> None:
    assert send(client, histogram_frame(0, HALVES, SPOILT)).json()["duplicate"] is False
    assert send(client, histogram_frame(0, HALVES, SPOILT)).json()["duplicate"] is True

    answer = client.get(PATH, params={"layer": "a.b", "kind": "gradients"}).json()
    assert (answer["run_id"], answer["layer"], answer["kind"], answer["steps"]) == (RUN, "a.b", "gradients", [0, 1])
    assert answer["shares"][:BINS] == pytest.approx([cell / 65_535 for cell in HALVES[:BINS]])
    assert answer["nonfinite"] == [0, 1]
    assert (answer["edges"][0], answer["edges"][32], answer["edges"][-1]) == ("-Infinity", 0, "Infinity")
    assert len(answer["edges"]) == BINS + 1


def test_speaks_msgpack_too(client: TestClient) -> None:
    send(client, histogram_frame(0, HALVES))
    answer = client.get(PATH, params={"layer": "a.b", "kind": "gradients"}, headers={"Accept": coding.MSGPACK})
    assert coding.decode(answer.content, LayerHistograms).edges.tolist()[-1] == math.inf


def test_takes_histograms_as_plain_json(client: TestClient) -> None:
    part = {"kind": "weights", "values": HALVES}
    frame = {"run_id": RUN, "writer": 1, "seq": 0, "histograms": {"steps": [3], "layers": ["a"], "parts": [part]}}
    assert client.post(FRAMES, json=frame).status_code == 200
    assert client.get(PATH, params={"layer": "a", "kind": "weights"}).json()["steps"] == [3]


def test_thins_and_cuts(client: TestClient) -> None:
    for seq in range(6):
        send(client, histogram_frame(seq, HALVES, HALVES))
    asked = {"layer": "a.b", "kind": "gradients"}
    assert client.get(PATH, params={**asked, "columns": 3}).json()["steps"] == [0, 21, 51]
    assert client.get(PATH, params={**asked, "first": 11, "last": 20}).json()["steps"] == [11, 20]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"layer": "nobody", "kind": "gradients"}, 404),
        ({"layer": "a.b", "kind": "weights"}, 404),
        ({"layer": "a.b", "kind": "gradients", "rank": 1}, 404),
        ({"layer": "a.b", "kind": "updates"}, 422),
        ({"layer": "a.b"}, 422),
        ({"kind": "gradients"}, 422),
        ({"layer": "a.b", "kind": "gradients", "columns": 0}, 422),
        ({"layer": "a.b", "kind": "gradients", "first": -1}, 422),
    ],
)
def test_says_what_is_wrong_with_a_question(client: TestClient, asked: dict[str, str | int], status: int) -> None:
    send(client, histogram_frame(0, HALVES))
    answer = client.get(PATH, params=asked)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_a_question_about_no_run_is_answered_so(client: TestClient) -> None:
    answer = client.get("/api/v1/runs/nobody/histograms", params={"layer": "a", "kind": "weights"})
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:trainvitals:problem:run-not-found")


def test_refuses_histograms_that_cannot_be(client: TestClient) -> None:
    part = {"kind": "weights", "values": [0] * (CELLS - 1)}
    frame = {"run_id": RUN, "writer": 1, "seq": 0, "histograms": {"steps": [3], "layers": ["a"], "parts": [part]}}
    answer = client.post(FRAMES, json=frame)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:trainvitals:problem:absurd-shape")


def test_the_route_is_described(client: TestClient) -> None:
    document = client.get("/api/openapi.json").json()
    described = document["paths"]["/api/v1/runs/{run_id}/histograms"]["get"]
    kinds = next(one["schema"]["enum"] for one in described["parameters"] if one["name"] == "kind")
    assert kinds == ["weights", "gradients", "activations"]
    assert {"LayerHistograms", "Histograms", "HistogramPart"} <= set(document["components"]["schemas"])


def test_the_last_step_of_a_run_may_be_that_of_its_histograms(client: TestClient) -> None:
    send(client, histogram_frame(4, HALVES))
    assert client.get(f"/api/v1/runs/{RUN}").json()["summary"]["last_step"] == 40
