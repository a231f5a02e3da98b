"""The routes by which people work with the table of runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.server.sending import LOCAL, MSGPACK, RUN, START, loss_frame, send
from trainvitals.wire import coding
from trainvitals.wire.messages import RunEnd
from trainvitals_server.app import create_app
from trainvitals_server.settings import Settings
from trainvitals_server.store.interface import Store
from trainvitals_server.store.run_changes import IN_BIN_SECONDS


def change(client: TestClient, **what: Any) -> Any:  # Any: JSON, and the client's response
    return client.patch("/api/v1/runs", json={"run_ids": [RUN], **what})


def names(client: TestClient, text: str = "") -> list[str]:
    return [row["run_id"] for row in client.get("/api/v1/runs", params={"text": text}).json()["runs"]]


def test_a_search_that_is_not_understood_is_answered_with_the_place(client: TestClient) -> None:
    answer = client.get("/api/v1/runs", params={"text": "tests healt:<60"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["place"] == [6, 15]
    assert "did you mean health:?" in answer.json()["detail"]


def test_rows_tell_the_settings_that_are_asked_for(client: TestClient) -> None:
    config = {"optimizer": {"lr": 0.1}, "depth": 3}
    body = coding.encode({**vars_of(START), "config": config})
    client.put("/api/v1/runs/other", content=body, headers=MSGPACK)
    rows = client.get("/api/v1/runs?setting=optimizer.lr&setting=depth&text=lr%3D0.1").json()["runs"]
    assert [row["settings"] for row in rows] == [{"optimizer.lr": "0.1", "depth": "3"}]


def vars_of(message: Any) -> dict[str, Any]:  # Any: a message's fields
    return {name: getattr(message, name) for name in message.__struct_fields__}


def test_people_tag_a_run_write_a_memo_and_archive_it(client: TestClient) -> None:
    answer = change(client, tag=[" best "], memo="keep this one", archived=True)
    (row,) = answer.json()["runs"]
    assert (row["tags"], row["memo"], row["archived"]) == (["best"], "keep this one", True)
    assert (names(client), names(client, "is:archived tag:best")) == ([], [RUN])


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ({"run_ids": []}, 422),
        ({"run_ids": ["nobody"]}, 404),
        ({"run_ids": ["a\0b"]}, 404),
        ({"tag": [" "]}, 422),
        ({"tag": ["t" * 600]}, 422),
        ({"memo": "m" * 5000}, 422),
        ({"run_ids": ["r"] * 1001}, 422),
    ],
)
def test_refuses_a_change_that_cannot_be(client: TestClient, what: dict[str, Any], status: int) -> None:
    assert change(client, **what).status_code == status


@pytest.fixture
def late(settings: Settings, store: Store) -> Iterator[tuple[TestClient, list[float]]]:
    """A client, and the server's time, which can be moved on."""
    now = [1000.0]
    with TestClient(create_app(settings, store=store, clock=lambda: now[0]), headers=LOCAL) as running:
        running.put(f"/api/v1/runs/{RUN}", content=coding.encode(START), headers=MSGPACK)
        yield running, now


def test_a_deleted_run_can_be_taken_back_for_a_minute_and_is_gone_after_it(
    late: tuple[TestClient, list[float]], store: Store
) -> None:
    client, now = late
    assert send(client, loss_frame(0, 1.0)).status_code == 200
    change(client, deleted=True)
    assert names(client) == []
    change(client, deleted=False)
    assert names(client) == [RUN]

    end = coding.encode(RunEnd(status="finished", ended_at=now[0]))
    assert client.put(f"/api/v1/runs/{RUN}/end", content=end, headers=MSGPACK).is_success
    change(client, deleted=True)
    now[0] += IN_BIN_SECONDS - 1
    assert client.get(f"/api/v1/runs/{RUN}").status_code == 200
    now[0] += 2
    ends = time.monotonic() + 20
    while client.get(f"/api/v1/runs/{RUN}").status_code == 200:
        assert time.monotonic() < ends
    assert change(client, deleted=False).status_code == 404


def test_groups_and_columns_are_of_what_a_search_finds(client: TestClient) -> None:
    send(client, loss_frame(0, 2.0, 0.5))
    (group,) = client.get("/api/v1/groups?by=project&metric=loss").json()["groups"]
    assert (group["value"], group["runs"], group["running"], group["median"]) == ("tests", 1, 1, 0.5)
    assert names(client, group["term"]) == [RUN]
    assert client.get("/api/v1/groups?by=project&text=nothing").json()["groups"] == []
    assert client.get("/api/v1/columns").json()["metrics"] == [{"name": "loss", "runs": 1}]
    assert client.get("/api/v1/groups?by=colour").status_code == 422
    assert client.get("/api/v1/columns?text=status:").status_code == 422


def test_a_view_is_saved_listed_and_deleted(client: TestClient) -> None:
    saved = client.put("/api/v1/views", json={"name": " sick/now ", "query": "text=health%3A%3C60"})
    assert (saved.status_code, saved.json()["name"]) == (200, "sick/now")
    assert [view["query"] for view in client.get("/api/v1/views").json()["views"]] == ["text=health%3A%3C60"]
    assert client.put("/api/v1/views", json={"name": "", "query": ""}).status_code == 422
    assert client.delete("/api/v1/views/sick/now").status_code == 204
    assert client.delete("/api/v1/views/sick/now").status_code == 404
