"""What people said of a finding holds until it is over, or the ill grows graver."""

from __future__ import annotations

import pytest

from trainvitals.wire.messages import Act, Finding, FindingAct, Severity
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.evaluator.lifecycle import Life


def symptom(severity: Severity = "warning", *, last_step: int = 10) -> Symptom:
    return Symptom(rule="loss_plateau", severity=severity, summary="ill", first_step=5, last_step=last_step)


def opened(life: Life) -> Finding:
    (found,) = [found for _ in range(2) for found in life.judge([symptom()], now=1.0, step=10)]
    return found


def after(act: Act, *symptoms: Symptom, step: int = 20) -> Finding:
    """The finding once a person did something about it at step 10, and it was then seen so."""
    life = Life("r")
    id_ = opened(life).finding_id
    life.act(id_, FindingAct(act=act, by="Ada", steps=100), now=2.0, step=10)
    for seen in symptoms:
        life.judge([seen], now=3.0, step=step)
    return life.findings[id_]


@pytest.mark.parametrize(
    ("act", "state"), [("acknowledge", "acknowledged"), ("snooze", "snoozed"), ("resolve", "resolved")]
)
def test_what_goes_on_as_before_changes_nothing(act: Act, state: str) -> None:
    assert after(act, *[symptom(last_step=step) for step in (20, 30, 40)]).state == state


@pytest.mark.parametrize("act", ["acknowledge", "snooze", "resolve"])
def test_what_grows_graver_is_open_again(act: Act) -> None:
    found = after(act, symptom("critical"), symptom("critical"))

    assert (found.state, found.severity, found.history[-1].by) == ("open", "critical", "")


@pytest.mark.parametrize(("step", "state"), [(109, "snoozed"), (110, "open")])
def test_a_snooze_is_over_at_its_step(step: int, state: str) -> None:
    assert after("snooze", symptom(), step=step).state == state


def test_what_was_resolved_by_itself_opens_by_itself() -> None:
    life = Life("r")
    id_ = opened(life).finding_id
    for now in (2.0, 3.0, 4.0):
        life.judge([], now=now)
    for now in (5.0, 6.0):
        life.judge([symptom()], now=now)

    assert [event.state for event in life.findings[id_].history] == ["open", "resolved", "open"]


def test_the_history_is_bounded() -> None:
    life = Life("r")
    id_ = opened(life).finding_id
    for number in range(300):
        life.act(id_, FindingAct(act="comment", comment=str(number)), now=2.0, step=10)

    assert len(life.findings[id_].history) == 100
    assert life.findings[id_].history[-1].comment == "299"


def test_the_history_tells_how_far_the_run_had_come_each_time() -> None:
    life = Life("r")
    id_ = opened(life).finding_id
    life.act(id_, FindingAct(act="acknowledge"), now=2.0, step=15)
    life.judge([symptom("critical")], now=3.0, step=20)
    for step in (30, 40, 50):
        life.judge([], now=4.0, step=step)

    history = life.findings[id_].history
    assert [(event.state, event.severity, event.step) for event in history] == [
        ("open", "warning", 10),
        ("acknowledged", "warning", 15),
        ("open", "critical", 20),
        ("resolved", "critical", 50),
    ]
