"""The top of a layer's drawer."""

from __future__ import annotations

from trainvitals.wire.messages import Finding, FindingState, LayerInfo
from trainvitals_dashboard.parts.layer_head import layer_head


def finding(rule: str, *layers: str, state: FindingState = "open") -> Finding:
    return Finding(
        finding_id=rule, run_id="r", rule=rule, severity="critical", state=state, layers=list(layers), first_step=1,
        last_step=2, summary="ill",
    )  # fmt: skip


def test_of_a_layer_that_was_not_recorded_no_health_is_told() -> None:
    top = layer_head(LayerInfo(name="a", kind="Linear"), [], health=None)[0]
    assert "not recorded" in str(top)
    assert "of 100" not in str(top)


def test_a_layer_tells_its_health_and_links_what_concerns_it() -> None:
    layer = LayerInfo(name="a", kind="Linear", parameters=1200)
    findings = [finding("ill", "a", "b"), finding("other", "b"), finding("gone", "a", state="resolved")]
    parts = [part for piece in layer_head(layer, findings, health=30) for part in piece._traverse()]

    assert [part.children for part in parts if getattr(part, "className", "") == "tv-num tv-crit"] == ["30"]
    assert [part.to_plotly_json()["props"]["data-finding"] for part in parts if hasattr(part, "data-finding")] == [
        "ill"
    ]
