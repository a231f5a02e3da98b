"""The model at a glance: who is sick, and how layers are arranged."""

from __future__ import annotations

from trainvitals.wire.answers import RunDetail, RunSummary
from trainvitals.wire.messages import Finding, FindingState, LayerInfo, Severity
from trainvitals_dashboard.parts.layers import health_of_layers, layers_card, split_towers


def detail(layers: list[str], *, recorded: list[str]) -> RunDetail:
    summary = RunSummary(run_id="r", project="p", name="n", status="running", created_at=0, heartbeat_at=0)
    return RunDetail(
        summary=summary, layers=[LayerInfo(name=name, kind="Linear") for name in layers], recorded_layers=recorded
    )


def finding(severity: Severity, *layers: str, state: FindingState = "open") -> Finding:
    return Finding(
        finding_id=f"{severity}{layers}", run_id="r", rule="dead-activations", severity=severity, state=state,
        layers=list(layers), first_step=1, last_step=2, summary="s",
    )  # fmt: skip


def test_a_layer_is_as_sick_as_its_gravest_open_finding() -> None:
    findings = [finding("warning", "a", "b"), finding("critical", "a"), finding("critical", "b", state="resolved")]
    assert health_of_layers(detail(["a", "b", "c"], recorded=["a", "b", "c"]), findings) == {
        "a": "critical",
        "b": "warning",
        "c": "ok",
    }


def test_layers_without_records_are_neither_sick_nor_well() -> None:
    assert health_of_layers(detail(["a"], recorded=[]), []) == {"a": "unknown"}


def test_repeated_blocks_make_a_tower_and_the_rest_a_strip() -> None:
    names = ["embed", *(f"blocks.{block}.{part}" for block in range(3) for part in ("attn", "mlp")), "head"]
    towers, rest = split_towers(names)
    assert (list(towers), sorted(towers["blocks."]), rest) == (["blocks."], [0, 1, 2], ["embed", "head"])


def test_numbered_layers_that_repeat_nothing_stay_a_strip() -> None:
    assert split_towers(["0", "1.a", "2.b", "3.c"]) == ({}, ["0", "1.a", "2.b", "3.c"])


def test_a_card_lists_the_layers_that_need_attention() -> None:
    card = layers_card(detail(["a", "b"], recorded=["a", "b"]), [finding("critical", "b")], None)
    rows = [part for part in card._traverse() if getattr(part, "className", "") == "tv-lrow"]
    assert [getattr(row, "data-layer") for row in rows] == ["b"]
