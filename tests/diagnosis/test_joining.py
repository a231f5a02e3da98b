"""Findings are joined into a diagnosis: the cause leads, and what follows from it hangs under it."""

from __future__ import annotations

from itertools import permutations

import msgspec
import pytest

from trainvitals.wire.messages import Finding, FindingState, Severity
from trainvitals_server.diagnosis.catalogue import rules
from trainvitals_server.diagnosis.consequences import FOLLOWS_FROM, follows_from
from trainvitals_server.diagnosis.joining import causes
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.evaluator.health import health, layer_health
from trainvitals_server.evaluator.lifecycle import Life


def finding(
    rule: str, *, first: int = 0, last: int = 100, state: FindingState = "open", severity: Severity = "warning"
) -> Finding:
    return Finding(
        finding_id=rule, run_id="r", rule=rule, severity=severity, state=state, first_step=first, last_step=last,
        summary="ill",
    )  # fmt: skip


def symptom(rule: str) -> Symptom:
    return Symptom(rule=rule, severity="warning", summary="ill", first_step=0, last_step=10)


def test_what_follows_names_its_likeliest_cause() -> None:
    found = causes(
        [finding("loss_not_decreasing"), finding("updates_too_small"), finding("vanishing_gradients")], follows_from
    )

    assert found == {"loss_not_decreasing": "vanishing_gradients", "updates_too_small": "vanishing_gradients"}


def test_what_does_no_harm_by_itself_brings_a_warning_only_where_no_graver_ill_may_have() -> None:
    harmless = finding("inputs_not_normalised", severity="info")
    consequences = [finding("loss_not_decreasing"), finding("saturated_activations")]

    found = causes([harmless, finding("softmax_twice"), *consequences], follows_from)

    assert found == {"loss_not_decreasing": "softmax_twice", "saturated_activations": "inputs_not_normalised"}


def test_a_cause_does_not_begin_after_its_consequence_was_last_seen() -> None:
    assert causes([finding("loss_spike", last=50), finding("updates_too_large", first=60)], follows_from) == {}


def test_what_is_resolved_is_no_cause() -> None:
    assert causes([finding("loss_spike"), finding("updates_too_large", state="resolved")], follows_from) == {}


@pytest.mark.parametrize("names", list(permutations("abc")))
def test_nothing_follows_from_itself_by_whatever_way(names: tuple[str, ...]) -> None:
    circle = {"a": ("b",), "b": ("c",), "c": ("a",)}

    found = causes([finding(name) for name in names], lambda rule: circle[rule])

    assert len(found) == 2


def test_consequences_are_of_rules_that_there_are() -> None:
    named = set(FOLLOWS_FROM) | {cause for found in FOLLOWS_FROM.values() for cause in found}

    assert named <= set(rules())


def test_a_cause_that_goes_leaves_its_consequences_to_stand_alone() -> None:
    life = Life("r")
    both = [symptom("vanishing_gradients"), symptom("updates_too_small")]
    for now in (1.0, 2.0):
        life.judge(both, now=now)
    (follows,) = life.join(follows_from, now=2.0)
    for now in (3.0, 4.0, 5.0):
        life.judge(both[1:], now=now)

    (alone,) = life.join(follows_from, now=5.0)

    assert follows.cause_id is not None
    assert (alone.rule, alone.cause_id) == ("updates_too_small", None)


def test_a_consequence_costs_no_health_unless_it_is_graver_than_its_cause() -> None:
    cause = finding("vanishing_gradients", severity="critical")
    follows = Finding(
        finding_id="f", run_id="r", rule="loss_not_decreasing", severity="warning", first_step=0, last_step=1,
        summary="ill", cause_id="vanishing_gradients",
    )  # fmt: skip
    mild = finding("vanishing_gradients", severity="info")

    assert health([cause, follows]) == health([cause])
    assert health([mild, follows]) < health([mild])


@pytest.mark.parametrize(
    ("state", "by", "whole"),
    [("open", None, 30), ("snoozed", None, 100), ("resolved", "Ada", 100), ("resolved", None, 75)],
)
def test_what_follows_goes_with_a_cause_that_a_person_deals_with(
    state: FindingState, by: str | None, whole: int
) -> None:
    cause = msgspec.structs.replace(finding("dead_activations", severity="critical", state=state), closed_by=by)
    follows = finding("loss_not_decreasing")
    joined = causes([cause, follows], lambda rule: ["dead_activations"] if rule == follows.rule else [])

    assert joined == ({} if whole == 75 else {"loss_not_decreasing": "dead_activations"})
    assert health([cause, msgspec.structs.replace(follows, cause_id=joined.get(follows.finding_id))]) == whole


def test_a_layer_has_the_health_of_the_findings_that_name_it() -> None:
    grave = msgspec.structs.replace(finding("a", severity="critical"), layers=["one", "two"])
    mild = msgspec.structs.replace(finding("b"), layers=["two"])
    gone = msgspec.structs.replace(finding("c", state="resolved"), layers=["three"])

    assert layer_health([grave, mild, gone]) == {"one": health([grave]), "two": health([grave, mild])}
