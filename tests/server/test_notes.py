"""What scripts note is taken once, bounded, and shown at once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from tests.server.sending import MSGPACK, RUN, send
from trainvitals.wire import coding
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, MetricPoints
from trainvitals.wire.notes import Alert, MetricDefinition, Note

PATH = f"/api/v1/runs/{RUN}"
ALERT = Alert(title="odd", at=1000.0)


def post(client: TestClient, note: Note) -> Any:  # Any: the client's response
    return client.post(f"{PATH}/notes", content=coding.encode(note), headers=MSGPACK)


def test_a_note_sent_twice_is_kept_once(client: TestClient) -> None:
    note = Note(writer=1, seq=0, config={"lr": 0.1}, summary={"best": 1}, alerts=[ALERT])
    assert [post(client, note).status_code for _ in range(2)] == [204, 204]
    shown = client.get(PATH).json()
    assert (shown["config"], shown["notes"]["summary"], len(shown["notes"]["alerts"])) == ({"lr": 0.1}, {"best": 1}, 1)


def test_notes_may_be_written_by_hand(client: TestClient) -> None:
    note = {"writer": 1, "seq": 0, "metrics": {"accuracy": {"goal": "maximize"}}}
    assert client.post(f"{PATH}/notes", json=note).status_code == 204
    assert client.get(PATH).json()["notes"]["metrics"]["accuracy"]["goal"] == "maximize"


@pytest.mark.parametrize(
    "wrong",
    [
        {"writer": -1},
        {"alerts": [msgspec.structs.replace(ALERT, title="")]},
        {"alerts": [msgspec.structs.replace(ALERT, text="x" * 4001)]},
        {"alerts": [msgspec.structs.replace(ALERT, at=float("nan"))]},
        {"alerts": [msgspec.structs.replace(ALERT, step=-1)]},
        {"metrics": {"": MetricDefinition()}},
        {"metrics": {"loss": MetricDefinition(summary="m" * 513)}},
        {"summary": {"shape": {(1, 2): 3}}},
    ],
)
def test_refuses_a_note_that_could_not_be_kept_or_shown(client: TestClient, wrong: dict[str, Any]) -> None:
    answer = post(client, msgspec.structs.replace(Note(writer=1, seq=0), **wrong))
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize(("kind", "what"), [("config", "settings"), ("summary", "summary")])
def test_refuses_data_in_place_of_settings_and_results(client: TestClient, kind: str, what: str) -> None:
    notes = [Note(writer=1, seq=seq, **{kind: {str(seq): "x" * 600_000}}) for seq in range(2)]  # type: ignore[arg-type]
    answers = [post(client, note) for note in notes]
    assert [answer.status_code for answer in answers] == [204, 422]
    assert f"as much {what} as one run may have" in answers[1].json()["detail"]


def test_only_the_newest_alerts_are_kept(client: TestClient) -> None:
    for seq in range(3):
        post(client, Note(writer=1, seq=seq, alerts=[Alert(title=f"{seq} {index}") for index in range(100)]))
    alerts = client.get(PATH).json()["notes"]["alerts"]
    assert (len(alerts), alerts[0]["title"], alerts[-1]["title"]) == (200, "1 0", "2 99")


def test_the_loss_that_a_script_defines_is_known_to_all_that_ask_for_one(client: TestClient) -> None:
    post(client, Note(writer=1, seq=0, metrics={"objective": MetricDefinition(role="loss")}))
    points = MetricPoints(metric="objective", steps=list(range(30)), values=Floats.of([1.0] * 29 + [float("nan")]))
    send(client, Frame(run_id=RUN, writer=1, seq=0, metrics=[points]))
    ended = client.put(f"{PATH}/end", json={"status": "finished", "ended_at": 2000.0}).json()

    lines = {
        line["name"]: line for stage in client.get(f"{PATH}/checklist").json()["stages"] for line in stage["lines"]
    }
    assert (ended["has_loss"], [one["rule"] for one in ended["findings"]]) == (True, ["non_finite_values"])
    assert client.get("/api/v1/runs").json()["runs"][0]["loss"] == "objective"
    assert (lines["training_loss"]["status"], lines["loss_spike"]["status"]) == ("passed", "unknown")


def test_a_run_without_a_known_loss_is_told_how_to_say_which_it_is(client: TestClient) -> None:
    ended = client.put(f"{PATH}/end", json={"status": "finished", "ended_at": 2000.0}).json()
    lines = {
        line["name"]: line for stage in client.get(f"{PATH}/checklist").json()["stages"] for line in stage["lines"]
    }
    assert (ended["has_loss"], lines["training_loss"]["summary"]) == (False, "no metric is known as the loss")
    assert 'run.define_metric("name", role="loss")' in lines["training_loss"]["advice"][0]


@pytest.mark.parametrize("role", ["boss", 3])
def test_a_role_that_there_is_not_is_refused(client: TestClient, role: object) -> None:
    note = {"writer": 1, "seq": 0, "metrics": {"objective": {"role": role}}}
    assert client.post(f"{PATH}/notes", json=note).status_code == 422


def test_an_unknown_run_is_not_noted_of(client: TestClient) -> None:
    assert client.post("/api/v1/runs/none/notes", json={"writer": 1, "seq": 0}).status_code == 404


def test_a_page_that_is_open_is_told_of_notes(client: TestClient) -> None:
    with client.websocket_connect(f"{PATH}/live?since=0") as socket:
        socket.receive_json()
        socket.send_text("a")
        post(client, Note(writer=1, seq=0, alerts=[ALERT]))
        while not (update := socket.receive_json()).get("noted"):
            socket.send_text("a")
    assert update["noted"] is True
