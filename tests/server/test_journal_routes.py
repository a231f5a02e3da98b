"""People write of a run over the API; who writes at the same time as another is told, and loses nothing."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.server.sending import RUN

PATH = f"/api/v1/runs/{RUN}/journal"


def test_a_run_of_which_nobody_wrote_has_an_empty_journal(client: TestClient) -> None:
    assert client.get(PATH).json() == {
        "run_id": RUN, "now": {"version": 0, "at": 0.0, "by": "", "text": ""}, "before": [],
    }  # fmt: skip


def test_what_is_written_is_kept_with_name_and_time(client: TestClient) -> None:
    told = client.put(PATH, json={"text": "# Why", "by": "Ada", "after": 0}).json()

    assert client.get(PATH).json() == told
    assert (told["now"]["version"], told["now"]["by"], told["now"]["text"]) == (1, "Ada", "# Why")
    assert told["now"]["at"] > 0


def test_versions_before_it_are_told_where_they_are_asked_for(client: TestClient) -> None:
    for text in ("a", "b", "c"):
        client.put(PATH, json={"text": text})

    assert client.get(PATH).json()["before"] == []
    assert [one["text"] for one in client.get(PATH, params={"versions": 9}).json()["before"]] == ["b", "a"]


def test_who_writes_after_an_older_version_is_refused(client: TestClient) -> None:
    client.put(PATH, json={"text": "a", "after": 0})
    late = client.put(PATH, json={"text": "b", "after": 0})

    assert (late.status_code, late.json()["type"].endswith("journal-changed")) == (409, True)
    assert client.get(PATH).json()["now"]["text"] == "a"


@pytest.mark.parametrize(("said", "words"), [({"text": "x" * 100_001}, "100,000"), ({"text": "a", "by": ""}, "name")])
def test_what_cannot_be_is_refused(client: TestClient, said: dict[str, str], words: str) -> None:
    refused = client.put(PATH, json=said)

    assert refused.status_code == 422
    assert words in refused.json()["detail"]


def test_of_a_run_that_is_not_there_nothing_is_written(client: TestClient) -> None:
    assert client.put("/api/v1/runs/another/journal", json={"text": "a"}).status_code == 404
    assert client.get("/api/v1/runs/another/journal").status_code == 404
