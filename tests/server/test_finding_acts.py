"""People acknowledge, snooze, resolve and discuss findings; what they said holds while nothing grows worse."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.server.sending import RUN, loss_frame, send
from trainvitals.wire import coding
from trainvitals.wire.messages import RunEnd

FINDINGS = f"/api/v1/runs/{RUN}/findings"


@pytest.fixture
def finding(client: TestClient) -> dict[str, Any]:
    """Of a run whose loss is NaN since its second step, and which has ended."""
    send(client, loss_frame(0, 1.0, float("nan")))
    end = coding.encode(RunEnd(status="finished", ended_at=2000.0, last_step=1))
    client.put(f"/api/v1/runs/{RUN}/end", content=end, headers={"Content-Type": coding.MSGPACK})
    (found,) = client.get(FINDINGS).json()["findings"]
    return found  # type: ignore[no-any-return]  # JSON


def act(client: TestClient, finding: dict[str, Any], **said: Any) -> Any:  # Any: the client's response
    return client.post(f"{FINDINGS}/{finding['finding_id']}", json=said)


def health(client: TestClient) -> Any:  # Any: JSON
    return client.get(f"/api/v1/runs/{RUN}").json()["summary"]["health"]


def test_a_finding_tells_when_it_opened(finding: dict[str, Any]) -> None:
    assert [(event["state"], event["by"]) for event in finding["history"]] == [("open", "")]


@pytest.mark.parametrize(
    ("word", "state"), [("acknowledge", "acknowledged"), ("snooze", "snoozed"), ("resolve", "resolved")]
)
def test_what_a_person_does_is_kept_with_name_and_comment(
    client: TestClient, finding: dict[str, Any], word: str, state: str
) -> None:
    answer = act(client, finding, act=word, by="Ada", comment="known: the labels of day 3")
    (kept,) = client.get(FINDINGS).json()["findings"]

    assert answer.json() == kept
    assert kept["state"] == state
    assert [(event["state"], event["by"]) for event in kept["history"]] == [("open", ""), (state, "Ada")]


def test_a_resolved_finding_costs_no_health_and_can_be_opened_again(
    client: TestClient, finding: dict[str, Any]
) -> None:
    act(client, finding, act="resolve", by="Ada")
    well = health(client)
    again = act(client, finding, act="reopen", by="Bob").json()

    assert (well, health(client), again["state"], again["closed_by"]) == (100, 30, "open", None)


def test_a_comment_changes_nothing_else(client: TestClient, finding: dict[str, Any]) -> None:
    talked = act(client, finding, act="comment", by="Ada", comment="look at batch 7").json()

    assert (talked["state"], talked["history"][-1]["comment"]) == ("open", "look at batch 7")


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"act": "dance"}, 422),
        ({"act": "comment", "comment": " "}, 422),
        ({"act": "snooze", "steps": 0}, 422),
        ({"act": "resolve", "by": ""}, 422),
        ({"act": "resolve", "comment": "x" * 5000}, 422),
    ],
)
def test_what_cannot_be_done_is_refused(
    client: TestClient, finding: dict[str, Any], said: dict[str, Any], status: int
) -> None:
    refused = act(client, finding, **said)

    assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
    assert client.get(FINDINGS).json()["findings"] == [finding]


@pytest.mark.parametrize("path", [f"{FINDINGS}/none", "/api/v1/runs/nobody/findings/none"])
def test_what_is_not_there_is_not_found(client: TestClient, finding: dict[str, Any], path: str) -> None:
    assert client.post(path, json={"act": "resolve"}).status_code == 404
