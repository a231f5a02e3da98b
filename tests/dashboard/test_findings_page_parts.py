"""The page of findings: lanes on the axis of the loss, marks for what became of each, filters."""

from __future__ import annotations

from typing import Any

import pytest
from dash import html

from trainvitals.wire.answers import Curve, RunDetail, RunSummary
from trainvitals.wire.checklist import Checklist, ChecklistLine, StageOutcome
from trainvitals.wire.floats import Floats
from trainvitals.wire.messages import Finding, FindingEvent, FindingState, Severity
from trainvitals.wire.ordering import in_order
from trainvitals.wire.preflight import CheckStatus
from trainvitals_dashboard.figures.timeline import Extent, loss_above
from trainvitals_dashboard.parts.finding_lanes import lanes, marks_of, spans
from trainvitals_dashboard.parts.findings_body import FindingsView, counted, nothing_found, words_of

STEPS = list(range(0, 101, 10))
CURVE = Curve(
    run_id="r", metric="loss", steps=STEPS, last_steps=STEPS, low=Floats.of([1.0] * 11), mean=Floats.of([1.0] * 11),
    high=Floats.of([1.0] * 11), nonfinite=[0] * 11,
)  # fmt: skip
SUMMARY = RunSummary(
    run_id="r", project="p", name="net", status="running", created_at=1.0, heartbeat_at=1.0, last_step=100
)


def event(state: FindingState, step: int | None, *, severity: Severity = "warning", by: str = "") -> FindingEvent:
    return FindingEvent(at=1.0, state=state, severity=severity, step=step, by=by, comment="why" if by else "")


def finding(rule: str, *events: FindingEvent, cause: str | None = None, first: int = 10, last: int = 40) -> Finding:
    history = list(events) or [event("open", 20)]
    return Finding(
        finding_id=rule, run_id="r", rule=rule, severity=history[-1].severity, state=history[-1].state,
        first_step=first, last_step=last, opened_step=20, summary="ill", cause_id=cause, history=history,
    )  # fmt: skip


def view(*findings: Finding, **more: Any) -> FindingsView:
    return FindingsView(detail=RunDetail(summary=SUMMARY), findings=findings, curve=CURVE, **more)


def having(piece: Any, class_name: str) -> list[Any]:
    return [part for part in piece._traverse() if class_name in (getattr(part, "className", None) or "").split()]


def texts(piece: Any) -> str:
    if isinstance(piece, (list, tuple)):
        return " ".join(word.strip() for word in map(texts, piece) if word.strip())
    return texts(piece.children) if hasattr(piece, "children") else "" if piece is None else str(piece)


def test_causes_come_first_and_what_follows_stands_beneath_them() -> None:
    found = [finding("c", cause="b"), finding("b", cause="a"), finding("d"), finding("a")]

    assert [(one.rule, depth) for one, depth in in_order(found)] == [("a", 0), ("b", 1), ("c", 2), ("d", 0)]


def test_marks_tell_what_became_of_a_finding_at_the_step_that_the_run_had_come_to() -> None:
    told = finding(
        "a",
        event("open", 20),
        event("open", 30, severity="critical"),
        event("acknowledged", 40, severity="critical", by="Ada"),
        event("acknowledged", 45, severity="critical", by="Bob"),
        event("snoozed", 50, severity="critical", by="Ada"),
        event("open", 60, severity="critical"),
        event("open", 65),
        event("resolved", 70),
    )

    assert [(mark.kind, mark.step) for mark in marks_of(told)] == [
        ("found", 20),
        ("graver", 30),
        ("acknowledged", 40),
        ("comment", 45),
        ("snoozed", 50),
        ("reopened", 60),
        ("milder", 65),
        ("resolved", 70),
    ]


def test_a_history_without_steps_marks_alone_when_the_finding_was_found() -> None:
    told = finding("a", event("open", None), event("acknowledged", None, by="Ada"))

    assert [(mark.kind, mark.step) for mark in marks_of(told)] == [("found", 20)]


def test_a_bar_goes_on_until_now_while_the_finding_is_not_over() -> None:
    assert spans(finding("a", event("open", 20)), now=100) == [(10, 100)]
    assert spans(finding("a", event("open", 20), event("snoozed", 30, by="Ada")), now=100) == [(10, 100)]


def test_a_bar_of_what_is_over_ends_where_the_symptom_was_last_and_not_where_it_was_resolved() -> None:
    assert spans(finding("a", event("open", 20), event("resolved", 70)), now=100) == [(10, 40)]


def test_between_two_times_that_it_stood_there_is_a_gap() -> None:
    again = finding("a", event("open", 20), event("resolved", 50), event("open", 80), first=10, last=90)

    assert spans(again, now=100) == [(10, 50), (80, 100)]


def test_the_loss_and_the_lanes_share_their_axis() -> None:
    extent = Extent.of([finding("a", first=0, last=140)], CURVE, last_step=100)
    figure = loss_above(CURVE, extent, name="Loss")

    assert list(figure.layout.xaxis.range) == [0, 140]
    assert list(figure.layout.xaxis.tickvals) == extent.ticks() == [0, 20, 40, 60, 80, 100, 120, 140]
    assert extent.share(70) == pytest.approx(0.5)


def test_a_lane_says_all_that_it_shows_in_words_too() -> None:
    lane = having(
        lanes([finding("loss_spike", event("open", 20))], Extent(first=0, last=100), chosen="loss_spike"), "tv-lane"
    )
    told = lane[0].to_plotly_json()["props"]

    assert told["aria-label"] == "Warning: Loss spike, open, from step 10 to 100"
    assert told["aria-pressed"] == "true"
    assert having(lane[0], "tv-mark-found")[0].title.startswith("Found at step 20")


def test_filters_let_through_what_is_chosen_and_everything_where_nothing_is() -> None:
    open_, over = finding("a"), finding("b", event("open", 20, severity="critical"), event("resolved", 70))

    assert view(open_, over).shown == [open_, over]
    assert view(open_, over, states=["resolved"]).shown == [over]
    assert view(open_, over, states=["resolved"], severities=["critical"]).shown == []
    assert counted(view(open_, over, states=["resolved"])) == "1 of 2 shown · 1 open · 1 resolved"


def test_an_address_names_filters_that_there_are() -> None:
    known = {"open": "Open", "snoozed": "Snoozed"}

    assert words_of({"state": "snoozed,nothing,open"}, "state", known) == ["open", "snoozed"]
    assert words_of({}, "state", known) == []


def test_the_leading_cause_is_shown_first_and_a_choice_outlives_its_filter() -> None:
    found = view(finding("b", cause="a"), finding("a"), states=["resolved"])

    chosen = [found.chosen(wanted) for wanted in ("", "b", "gone")]
    assert [one.rule for one in chosen if one is not None] == ["a", "b", "a"]


def test_where_nothing_was_found_it_is_said_how_much_was_looked_at() -> None:
    told: dict[str, CheckStatus] = {"a": "passed", "b": "passed", "c": "unknown"}
    lines = [ChecklistLine(name=name, source="rule", status=status, summary="") for name, status in told.items()]
    said = nothing_found(
        RunDetail(summary=SUMMARY),
        Checklist(run_id="r", stages=[StageOutcome(stage="check the inside", status="unknown", lines=lines)]),
    )

    assert isinstance(said, html.Section)
    assert "3 rules concern this run, judged up to step 100: 2 had all" in texts(said)
    assert "1 cannot tell" in texts(said)
