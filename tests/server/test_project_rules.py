"""A project mutes rules and sets their options over the API; what cannot be is refused, and what was said stays."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from tests.server.sending import RUN, START, loss_frame, send
from trainvitals.wire import coding
from trainvitals.wire.messages import RunEnd
from trainvitals_server.diagnosis.catalogue import rules

PATH = f"/api/v1/projects/{START.project}/rules"


def rule(told: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [rule for rule in told["rules"] if rule["name"] == name]
    return found  # type: ignore[no-any-return]  # JSON


def test_a_project_of_which_nothing_was_said_has_every_rule_as_it_is_by_default(client: TestClient) -> None:
    told = client.get(PATH).json()

    assert (told["project"], told["settings"]["version"], told["history"]) == ("tests", 0, [])
    assert [rule["name"] for rule in told["rules"]] == sorted(rules())
    spike = rule(told, "loss_spike")
    assert (spike["title"], spike["package"], spike["muted"]) == ("Loss spike", "trainvitals", False)
    assert {"name": "sigmas", "default": 8.0, "value": 8.0} in spike["options"]


def test_what_is_set_is_kept_with_name_time_and_reason(client: TestClient) -> None:
    said = {"muted": ["overfitting"], "options": {"loss-spike": {"sigmas": 12}}, "by": "Ada", "comment": "a baseline"}
    told = client.put(PATH, json=said).json()

    assert client.get(PATH).json() == told
    settings = told["settings"]
    assert (settings["version"], settings["by"], settings["comment"]) == (1, "Ada", "a baseline")
    assert settings["at"] > 0
    assert (settings["muted"], settings["options"]) == (["overfitting"], {"loss_spike": {"sigmas": 12.0}})
    assert rule(told, "overfitting")["muted"]
    assert {"name": "sigmas", "default": 8.0, "value": 12.0} in rule(told, "loss_spike")["options"]


def test_the_history_is_read_newest_first_and_one_goes_back_by_setting_it_again(client: TestClient) -> None:
    for muted in (["overfitting"], ["loss_spike"]):
        client.put(PATH, json={"muted": muted})
    old = client.get(PATH).json()["history"][1]
    told = client.put(PATH, json={"muted": old["muted"], "options": old["options"], "after": 2}).json()

    assert [(one["version"], one["muted"]) for one in told["history"]] == [
        (3, ["overfitting"]),
        (2, ["loss_spike"]),
        (1, ["overfitting"]),
    ]
    assert [one["version"] for one in client.get(PATH, params={"versions": 1}).json()["history"]] == [3]


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ({"muted": ["overfiting"]}, "unknown-rule", "overfitting"),
        ({"options": {"nothing": {"a": 1}}}, "unknown-rule", "loss_spike"),
        ({"options": {"loss_spike": {"sigma": 1}}}, "unknown-option", "it has past, sigmas"),
        ({"options": {"loss_spike": {"sigmas": "x"}}}, "wrong-option", "its default is 8.0"),
        ({"options": {"loss_spike": {"past": 10**30}}}, "malformed", "options"),
        ({"muted": "overfitting"}, "malformed", "array"),
        ({"by": ""}, "absurd-shape", "name"),
        ({"comment": "x" * 5000}, "absurd-shape", "comment"),
    ],
)
def test_what_cannot_be_is_refused_with_what_there_is(
    client: TestClient, said: dict[str, Any], kind: str, words: str
) -> None:
    refused = client.put(PATH, json=said)

    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    problem = refused.json()
    assert problem["type"].endswith(kind)
    assert words in problem["detail"]
    assert client.get(PATH).json()["history"] == []


def test_what_somebody_else_set_meanwhile_is_a_conflict(client: TestClient) -> None:
    client.put(PATH, json={"muted": ["overfitting"], "after": 0})
    late = client.put(PATH, json={"muted": ["loss_spike"], "after": 0})

    assert (late.status_code, late.json()["type"].endswith("rules-changed")) == (409, True)


@pytest.mark.parametrize("project", ["team/digits", "über uns", "a?b#c", "rules"])
def test_a_project_may_be_called_as_runs_call_it(client: TestClient, project: str) -> None:
    path = f"/api/v1/projects/{quote(project, safe='')}/rules"
    client.put(path, json={"muted": ["overfitting"]})

    assert client.get(path).json()["project"] == project
    assert client.get(path).json()["settings"]["muted"] == ["overfitting"]
    assert client.get(PATH).json()["history"] == []


def test_a_name_that_no_project_can_have_is_refused(client: TestClient) -> None:
    assert client.get(f"/api/v1/projects/{'x' * 600}/rules").status_code == 422


def test_a_run_that_goes_on_is_judged_as_its_project_says_now(client: TestClient) -> None:
    send(client, loss_frame(0, 1.0, float("nan")))
    client.put(PATH, json={"muted": ["non_finite_values"], "by": "Ada"})
    send(client, loss_frame(1, float("nan")))
    end = coding.encode(RunEnd(status="finished", ended_at=2000.0, last_step=10))
    ended = client.put(f"/api/v1/runs/{RUN}/end", content=end, headers={"Content-Type": coding.MSGPACK})

    assert (ended.json()["health"], ended.json()["findings"]) == (100, [])


def test_a_rule_says_which_package_brings_it(client: TestClient) -> None:
    assert {one["package"] for one in client.get("/api/v1/rules").json()} == {"trainvitals"}
