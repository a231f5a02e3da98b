"""The checklist and what changed, at the server's doors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from tests.server.sending import MSGPACK, RUN, START, loss_frame, send
from trainvitals.wire import coding
from trainvitals.wire.checklist import STAGE_NAMES, Changes, Checklist, LayerDifference
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, LayerStats, section
from trainvitals.wire.messages import Finding, LayerInfo, ModelInfo, RunEnd, RunEnded
from trainvitals.wire.rules import RuleChange
from trainvitals_server.store.interface import Store

PATH = f"/api/v1/runs/{RUN}"
FALLING = [2.0 / (1 + step / 20) for step in range(60)]


def begin(
    client: TestClient,
    run_id: str,
    *,
    started_at: float,
    project: str = "tests",
    name: str = "",
    layers: Sequence[LayerInfo] = (),
    **config: Any,
) -> None:
    said = msgspec.structs.replace(START, name=name or run_id, started_at=started_at, project=project, config=config)
    assert client.put(f"/api/v1/runs/{run_id}", content=coding.encode(said), headers=MSGPACK).status_code == 200
    if layers:
        model = coding.encode(ModelInfo(layers=list(layers), optimizers=[]))
        assert client.put(f"/api/v1/runs/{run_id}/model", content=model, headers=MSGPACK).status_code == 204


def trained(
    client: TestClient, run_id: str, *, started_at: float, losses: list[float] = FALLING, **more: Any
) -> RunEnded:
    begin(client, run_id, started_at=started_at, **more)
    assert send(client, loss_frame(0, *losses, run_id=run_id)).status_code == 200
    end = RunEnd(status="finished", ended_at=started_at + 1)
    accept = {**MSGPACK, "Accept": coding.MSGPACK}
    answer = client.put(f"/api/v1/runs/{run_id}/end", content=coding.encode(end), headers=accept)
    return coding.decode(answer.content, RunEnded)


def changes(client: TestClient, run_id: str, against: str | None = None) -> Changes:
    path = f"/api/v1/runs/{run_id}/changes" + (f"?against={against}" if against else "")
    return coding.decode(client.get(path, headers={"Accept": coding.MSGPACK}).content, Changes)


def against(client: TestClient, run_id: str) -> str | None:
    found = changes(client, run_id).against
    return None if found is None else found.run_id


def checklist(client: TestClient, run_id: str) -> Checklist:
    answer = client.get(f"/api/v1/runs/{run_id}/checklist", headers={"Accept": coding.MSGPACK})
    return coding.decode(answer.content, Checklist)


def test_a_fresh_run_has_five_stages_of_which_nothing_is_known(client: TestClient) -> None:
    found = client.get(f"{PATH}/checklist").json()

    assert [stage["stage"] for stage in found["stages"]] == list(STAGE_NAMES)
    assert {stage["status"] for stage in found["stages"]} == {"unknown"}


def test_the_end_of_a_run_is_answered_with_how_many_rules_had_too_little_to_go_by(client: TestClient) -> None:
    short = trained(client, "short", started_at=2000.0, losses=[2.0, 1.9])
    longer = trained(client, "longer", started_at=2001.0, losses=[2.0 / (1 + step / 20) for step in range(240)])
    unknown = [
        line
        for stage in checklist(client, "short").stages
        for line in stage.lines
        if (line.source, line.status) == ("rule", "unknown")
    ]

    assert 0 < longer.in_the_dark < short.in_the_dark == len(unknown) < short.rules


def test_a_finding_fails_its_stage_and_is_named(client: TestClient) -> None:
    trained(client, "sick", started_at=2000.0, losses=[1.0, math.nan, math.nan])

    inside = checklist(client, "sick").stages[2]

    (finding,) = client.get("/api/v1/runs/sick/findings").json()["findings"]
    assert (inside.status, inside.lines[0].name) == ("failed", "non_finite_values")
    assert inside.lines[0].finding_id == finding["finding_id"]


def test_rules_that_script_or_project_has_muted_have_not_passed(client: TestClient) -> None:
    change = coding.encode(RuleChange(muted=["dropout_too_high"], by="Ada"))
    assert client.put("/api/v1/projects/tests/rules", content=change, headers=MSGPACK).status_code == 200
    said = msgspec.structs.replace(START, mute=["overfitting"])
    client.put("/api/v1/runs/muting", content=coding.encode(said), headers=MSGPACK)

    told = {line.name: line for line in checklist(client, "muting").stages[3].lines}

    for rule in ("dropout_too_high", "overfitting"):
        assert (told[rule].status, told[rule].summary) == ("unknown", "muted: it does not judge this run")


def test_the_newest_healthy_run_that_began_before_is_what_a_run_is_held_against(client: TestClient) -> None:
    trained(client, "older", started_at=1001.0)
    trained(client, "healthy", started_at=1002.0)
    trained(client, "sick", started_at=1003.0, losses=[1.0, math.nan, math.nan])
    begin(client, "unfinished", started_at=1004.0)
    trained(client, "elsewhere", started_at=1005.0, project="other")
    begin(client, "now", started_at=1006.0)
    trained(client, "later", started_at=1007.0)

    assert against(client, "now") == "healthy"
    assert against(client, "healthy") == "older"


def test_a_run_is_rather_held_against_one_of_its_own_name(client: TestClient) -> None:
    trained(client, "older", started_at=1001.0, name="gpt")
    trained(client, "newer", started_at=1002.0, name="digits")
    begin(client, "now", started_at=1003.0, name="gpt")
    begin(client, "another", started_at=1004.0, name="cnn")

    assert against(client, "now") == "older"
    assert against(client, "another") == "newer"


def test_a_run_is_held_against_one_of_a_model_like_its_own(client: TestClient) -> None:
    layers = [LayerInfo(name=f"{place}", kind="Linear", parameters=9, trainable=9) for place in range(4)]
    longer = [*layers, LayerInfo(name="4", kind="Linear", parameters=9, trainable=9)]
    other = [msgspec.structs.replace(layer, kind="Conv2d") for layer in layers]
    trained(client, "alike", started_at=1001.0, layers=layers)
    trained(client, "other", started_at=1002.0, layers=other)
    trained(client, "unwatched", started_at=1003.0, layers=[])
    begin(client, "now", started_at=1004.0, layers=longer)
    begin(client, "alone", started_at=1005.0, project="another", layers=layers)

    assert against(client, "now") == "alike"
    assert against(client, "unwatched") is None
    assert against(client, "alone") is None


def test_a_run_of_which_little_is_known_comes_after_others(client: TestClient, store: Store) -> None:
    trained(client, "known", started_at=1001.0)
    trained(client, "little known", started_at=1002.0, name="gpt")
    begin(client, "now", started_at=1003.0, name="gpt")
    store.save_findings("known", [], health=100, little_known=False)
    store.save_findings("little known", [], health=100, little_known=True)

    assert against(client, "now") == "known"


def test_where_no_run_was_healthy_before_there_is_nothing_to_say(client: TestClient) -> None:
    trained(client, "sick", started_at=1001.0, losses=[1.0, math.nan, math.nan])
    begin(client, "now", started_at=1002.0)

    assert changes(client, "now") == Changes(run_id="now")


def test_a_run_of_little_health_whose_warnings_are_dealt_with_counts_as_healthy(
    client: TestClient, store: Store
) -> None:
    trained(client, "weary", started_at=1001.0)
    begin(client, "now", started_at=1002.0)
    ill = Finding(
        finding_id="f", run_id="weary", rule="loss_spike", severity="warning", first_step=0, last_step=1, summary="ill"
    )

    store.save_findings("weary", [ill], health=70)
    assert against(client, "now") is None
    store.save_findings("weary", [msgspec.structs.replace(ill, state="resolved")], health=70)
    assert against(client, "now") == "weary"


def test_says_what_changed_and_where_the_losses_part(client: TestClient) -> None:
    trained(client, "before", started_at=1001.0, lr=0.001)
    worse = FALLING[:20] + [2.0] * 40
    trained(client, "now", started_at=1002.0, losses=worse, lr=0.1)

    found = changes(client, "now", against="before")

    assert [(one.name, one.before, one.now) for one in found.settings] == [("lr", "0.001", "0.1")]
    assert found.parting is not None
    assert (found.parting.same_until, found.parting.step) == (19, 59)
    assert 18 <= (found.parting.apart_from or 0) <= 25


def norms_frame(run_id: str, norms: Sequence[float]) -> Frame:
    """Gradient norms of two layers, of which the second has these and the first always one."""
    rows = Floats.of([1.0] * len(norms) + list(norms)).data
    stats = LayerStats(steps=list(range(len(norms))), layers=["body", "head"], sections=[section("grad_norm", rows)])
    return Frame(run_id=run_id, writer=1, seq=100, layer_stats=stats)


def test_says_which_layer_is_the_first_to_differ_and_to_go_another_way(client: TestClient) -> None:
    for run_id, last in [("before", 1.0), ("now", 50.0)]:
        begin(client, run_id, started_at=1001.0)
        norms = [1.0] * 30 + [1.0 + (run_id == "now") / 8] * 10 + [last] * 20
        assert send(client, norms_frame(run_id, norms)).status_code == 200

    found = changes(client, "now", against="before").layer_parting

    assert found is not None
    assert found.first == LayerDifference(layer="head", stat="grad_norm", step=30, now=1.125, before=1.0)
    assert found.apart is not None
    assert (found.apart.layer, found.apart.layers, found.apart.now, found.apart.before) == ("head", 1, 50.0, 1.0)
    assert 36 <= found.apart.step <= 44
    trained(client, "unwatched", started_at=1002.0)
    assert changes(client, "unwatched", against="now").layer_parting is None


def test_any_two_runs_can_be_compared(client: TestClient) -> None:
    begin(client, "one", started_at=1001.0, lr=1)
    begin(client, "two", started_at=1002.0, lr=2)

    assert [one.now for one in changes(client, "one", against="two").settings] == ["1"]


@pytest.mark.parametrize("path", ["nobody/checklist", "nobody/changes", f"{RUN}/changes?against=nobody"])
def test_a_run_that_is_not_there_is_said(client: TestClient, path: str) -> None:
    answer = client.get(f"/api/v1/runs/{path}")

    assert (answer.status_code, "nobody" in answer.json()["detail"]) == (404, True)


def test_both_are_in_the_description_of_the_api(client: TestClient) -> None:
    schemas = client.get("/api/openapi.json").json()["components"]["schemas"]

    assert {
        "Checklist",
        "StageOutcome",
        "ChecklistLine",
        "Changes",
        "Change",
        "Parting",
        "LayerParting",
    } <= schemas.keys()
