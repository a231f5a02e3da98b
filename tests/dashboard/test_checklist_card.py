"""The checklist's card and that of what changed: where to begin, what is the same said once, nothing hidden."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dashboard.test_preflight_card import parts, texts
from trainvitals.wire.answers import RunSummary
from trainvitals.wire.checklist import (
    STAGE_NAMES,
    Change,
    Changes,
    Checklist,
    ChecklistLine,
    LayerDifference,
    LayerParting,
    Parting,
    StageName,
    StageOutcome,
)
from trainvitals.wire.preflight import CheckStatus
from trainvitals_dashboard.parts.changes_card import SHOWN, changes_card, parting_said
from trainvitals_dashboard.parts.checklist_card import checklist_card

WORST: tuple[CheckStatus, ...] = ("failed", "unknown", "passed")
AGAINST = RunSummary(
    run_id="b", project="p", name="the good one", status="finished", created_at=0, heartbeat_at=0, health=96
)


def line(name: str, status: CheckStatus = "passed", **more: Any) -> ChecklistLine:
    return ChecklistLine(**{"name": name, "source": "rule", "status": status, "summary": f"{name} it is", **more})


def checklist(**lines: list[ChecklistLine]) -> Checklist:
    """By the stages' first words."""

    def outcome(stage: StageName) -> StageOutcome:
        own = lines.get(stage.split()[0], [])
        status = min((one.status for one in own), key=WORST.index, default=WORST[-1])
        return StageOutcome(stage=stage, status=status, lines=own)

    return Checklist(run_id="r", stages=[outcome(stage) for stage in STAGE_NAMES])


def test_five_stages_stand_in_their_order_with_a_mark_and_a_word_each() -> None:
    card = checklist_card(checklist(check=[line("dead_activations", "failed")], track=[line("seed", "unknown")]))

    stages = list(parts(card, "Details"))
    assert [texts(stage)[:3] for stage in stages] == [
        ["1", "Start simple", "passed"],
        ["2", "Confirm the loss", "passed"],
        ["3", "Check the inside", "failed"],
        ["4", "Diagnose the settings", "passed"],
        ["5", "Track the work", "not known yet"],
    ]
    assert "1 failed · 1 not known yet · 3 passed" in texts(card)


def test_the_first_stage_that_failed_is_where_to_begin() -> None:
    card = checklist_card(checklist(confirm=[line("a", "failed")], check=[line("b", "failed")]))

    assert [stage.open for stage in parts(card, "Details")] == [False, True, False, False, False]


def test_a_stage_that_failed_by_findings_alone_stays_folded() -> None:
    found = line("a", "failed", finding_id="f1")

    for failed, is_open in ([found], False), ([found, line("b", "failed", source="preflight")], True):
        card = checklist_card(checklist(confirm=failed))
        assert [stage.open for stage in parts(card, "Details")] == [False, is_open, False, False, False]


def test_what_failed_is_named_on_the_stage_itself() -> None:
    many = [line(name, "failed") for name in ("loss_spike", "b", "c", "d")]

    assert "Loss spike, B, C and 1 more" in texts(checklist_card(checklist(diagnose=many)))


def test_a_line_that_failed_leads_to_its_finding() -> None:
    card = checklist_card(checklist(check=[line("dead_activations", "failed", finding_id="f1", advice=["Try this."])]))

    (button,) = parts(card, "Button")
    assert (button.to_plotly_json()["props"]["data-finding"], texts(button)[0]) == ("f1", "Dead activations")
    assert {"Dead_activations it is", "Try this."} <= set(texts(card))


def test_lines_that_say_the_same_stand_together() -> None:
    missing = {"summary": "the loss is not logged", "advice": ["Log it."]}
    lines = [line(name, "unknown", **missing) for name in ("loss_spike", "loss_diverging")]

    said = texts(checklist_card(checklist(diagnose=[*lines, line("overfitting", "unknown")])))

    assert "Loss spike, Loss diverging" in said
    assert (said.count("The loss is not logged"), said.count("Log it.")) == (1, 1)
    assert "Overfitting" in said


def test_a_check_of_the_preflight_is_marked_as_one() -> None:
    told = checklist(confirm=[line("initial_loss", "failed", source="preflight")])

    assert "in the preflight" in texts(checklist_card(told))


def test_there_is_no_card_where_no_run_was_healthy_before() -> None:
    assert changes_card(Changes(run_id="r")) is None


def test_says_what_changed_kind_by_kind_and_since_which_run() -> None:
    found = Changes(
        run_id="r",
        against=AGAINST,
        settings=[Change(name="lr", before="0.001", now="0.1"), Change(name="epochs", before="3")],
        layers=[Change(name="body.1–3", now="Linear")],
    )

    card = changes_card(found)

    assert [title.children for title in parts(card, "H3")] == ["Settings", "Layers"]
    said = texts(card)
    assert "the good one" in said
    assert ", health 96" in said
    assert said[said.index("lr") : said.index("lr") + 3] == ["lr", "0.001", "0.1"]
    assert said[said.index("epochs") + 1 : said.index("epochs") + 3] == ["gone, was ", "3"]
    assert said[said.index("body.1–3") + 1 : said.index("body.1–3") + 3] == ["new ", "Linear"]
    hrefs = [link.href for link in parts(card, "Link")]
    assert hrefs == ["/runs/b", "/compare?runs=b,r"] or hrefs == ["/compare?runs=b,r", "/runs/b"]


def test_runs_that_are_alike_are_said_to_be() -> None:
    assert "Settings, code, data, environment and layers are the same." in texts(
        changes_card(Changes(run_id="r", against=AGAINST))
    )
    assert "Settings, data, environment and layers are the same. Of code it is not known." in texts(
        changes_card(Changes(run_id="r", against=AGAINST, unknown=["code"]))
    )


def test_many_changes_are_folded_in_and_none_is_hidden() -> None:
    many = [Change(name=f"setting {place}", now="1") for place in range(SHOWN + 3)]

    card = changes_card(Changes(run_id="r", against=AGAINST, settings=many))

    assert "3 more" in texts(card)
    assert {change.name for change in many} <= set(texts(card))


@pytest.mark.parametrize(
    ("same_until", "apart_from", "said"),
    [
        (99, None, "The losses are the same to the last bit up to step 99, the last that both have."),
        (None, 40, "The losses part from step 40 on: NaN now, 0.25 then, around step 99."),
        (19, 40, "The losses are the same to the last bit up to step 19, and part from step 40 on: "),
        (None, None, "The losses stay close: NaN now, 0.25 then, around step 99."),
    ],
)
def test_where_losses_part_is_a_sentence(same_until: int | None, apart_from: int | None, said: str) -> None:
    found = Parting(metric="loss", step=99, before=0.25, now="NaN", same_until=same_until, apart_from=apart_from)

    assert parting_said(found).startswith(said)


@pytest.mark.parametrize(
    ("first", "apart", "said"),
    [
        (None, None, ["Layers are told the same, to the last bit, up to step 99."]),
        (
            LayerDifference(layer="body", stat="update_ratio", step=0, before=0.001, now=0.1, layers=5),
            None,
            [
                "Layers: the first to differ at all is body, by its update ratio at step 0: 0.1 now, 0.001 then, "
                "and 4 more with it.",
                "None stays at less than half or more than twice what it was, up to step 1,500.",
            ],
        ),
        (
            None,
            LayerDifference(layer="head", stat="grad_norm", step=1200, before=1.5, now="Infinity"),
            [
                "The first layer to go another way is head, by its gradient norm from step 1,200: ∞ now, 1.5 then, "
                "by medians."
            ],
        ),
    ],
)
def test_where_layers_part_is_said_too(
    first: LayerDifference | None, apart: LayerDifference | None, said: list[str]
) -> None:
    parting = LayerParting(first=first, apart=apart, same_steps=99, compared_until=1500)
    card = changes_card(Changes(run_id="r", against=AGAINST, layer_parting=parting))

    assert [sentence for sentence in texts(card) if sentence in said] == said


def test_what_passed_is_said_so_that_no_ill_seems_to_be_there() -> None:
    told = [line("data_not_shuffled"), line("label_balance", source="preflight"), line("seed", source="record")]

    said = texts(checklist_card(checklist(start=told)))

    assert said[said.index("Looked for and not found:") + 1] == "Data not shuffled"
    assert said[said.index("Passed in the preflight:") + 1] == "Label balance"
    assert said[said.index("Kept:") + 1] == "Seed"
