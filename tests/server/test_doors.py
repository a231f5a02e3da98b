"""Who is let in, what is shown of the API, and what an unknown path is answered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tests.server.sending import RUN
from trainvitals_server.app import create_app
from trainvitals_server.settings import Settings
from trainvitals_server.store.interface import Store

TOKEN = "a long secret"
LIVE = f"/api/v1/runs/{RUN}/live"


@pytest.fixture
def guarded(settings: Settings, store: Store) -> Iterator[TestClient]:
    closed = Settings(database=settings.database, token=TOKEN)
    with TestClient(create_app(closed, store=store), follow_redirects=False) as running:
        yield running


def test_refuses_strangers_at_the_api_and_sends_them_from_pages_to_the_form(guarded: TestClient) -> None:
    assert guarded.get("/api/v1/runs").status_code == 401
    assert guarded.get("/runs/x?tab=1").headers["location"] == "/login?next=/runs/x%3Ftab%3D1"
    assert guarded.get("/healthz").status_code == 200


def test_refuses_strangers_at_the_websocket(guarded: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect), guarded.websocket_connect(LIVE):
        pass


def test_lets_in_who_shows_the_token(guarded: TestClient) -> None:
    assert guarded.get("/api/v1/runs", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert guarded.get("/api/v1/runs", headers={"Authorization": "Bearer guess"}).status_code == 401


def test_lets_in_who_signed_in_by_the_form(guarded: TestClient) -> None:
    assert guarded.post("/login", data={"token": "guess"}).status_code == 401
    answer = guarded.post("/login", data={"token": TOKEN, "next": "//elsewhere"})
    assert answer.headers["location"] == "/"
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert guarded.get("/api/v1/runs").status_code == 200
    with guarded.websocket_connect(LIVE) as socket:
        assert socket.receive_json()["reset"] is True


def test_refuses_a_websocket_from_a_page_of_another_site(client: TestClient) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(LIVE, headers={"Origin": "http://elsewhere"}),
    ):
        pass


def test_answers_an_unknown_path_of_the_api_with_a_problem(client: TestClient) -> None:
    answer = client.get("/api/v1/nope")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_answers_a_wrong_parameter_with_a_problem(client: TestClient) -> None:
    answer = client.get("/api/v1/runs?limit=many")
    assert (answer.status_code, answer.json()["status"]) == (422, 422)


def test_describes_the_api_without_a_reference_that_leads_nowhere(client: TestClient) -> None:
    document = client.get("/api/openapi.json")
    names = set(document.json()["components"]["schemas"])
    references = {part.split('"')[0] for part in document.text.split("#/components/schemas/")[1:]}
    assert {"Frame", "Curve", "Problem"} <= references <= names


def test_says_which_method_an_endpoint_takes(client: TestClient) -> None:
    answer = client.delete(f"/api/v1/runs/{RUN}/frames")
    assert (answer.status_code, answer.headers["allow"], answer.json()["status"]) == (405, "POST", 405)


@pytest.mark.parametrize("host", ["evil.example", "127.evil.example:7360", "trainvitals", "", "[2001:db8::1]:80"])
def test_without_a_token_it_answers_to_no_name_but_its_own(client: TestClient, host: str) -> None:
    answer = client.get("/api/v1/runs", headers={"Host": host})
    assert (answer.status_code, answer.json()["type"]) == (421, "urn:trainvitals:problem:unknown-host")
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(LIVE, headers={"Host": host}):
        pass


@pytest.mark.parametrize("host", ["localhost:7360", "127.0.0.1", "127.0.0.2:80", "[::1]:7360", "box.localhost"])
def test_it_answers_to_this_machine(client: TestClient, host: str) -> None:
    assert client.get("/api/v1/runs", headers={"Host": host}).status_code == 200


def test_it_answers_to_names_that_were_allowed(settings: Settings, store: Store) -> None:
    known = Settings(database=settings.database, allowed_hosts=("lab.example",))
    with TestClient(create_app(known, store=store), base_url="http://lab.example:8080") as client:
        assert client.get("/api/v1/runs").status_code == 200


def test_with_a_token_any_name_will_do(guarded: TestClient) -> None:
    asked = {"Host": "lab.example", "Authorization": f"Bearer {TOKEN}"}
    assert guarded.get("/api/v1/runs", headers=asked).status_code == 200
