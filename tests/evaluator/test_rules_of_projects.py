"""Runs are judged by what their project and their script say of the rules, from the next moment on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, MetricPoints, encode_frame
from trainvitals.wire.messages import Finding, FindingAct, RunStart
from trainvitals.wire.rules import RuleChange
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window
from trainvitals_server.evaluator import Evaluator
from trainvitals_server.evaluator.judges import LOOK_EVERY_SECONDS, Judges
from trainvitals_server.store.interface import ReceivedFrame, Store
from trainvitals_server.store.opening import open_store

PROJECT = "p"


def ill(window: Window, *, line: float = 1.0) -> Iterator[Symptom]:
    """A loss above the line."""
    if window.loss is not None and window.loss.values[-1] > line:
        yield Symptom(rule="ill", severity="critical", summary="ill", first_step=0, last_step=window.step)


def other(window: Window) -> Iterator[Symptom]:
    yield Symptom(rule="other", severity="info", summary="there", first_step=0, last_step=window.step)


def broken(window: Window, *, line: float = 1.0) -> Iterator[Symptom]:
    raise ZeroDivisionError


RULES = {"broken": broken, "ill": ill, "other": other}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/runs.sqlite3")
    yield opened
    opened.close()


@pytest.fixture
def evaluator(store: Store) -> Iterator[Evaluator]:
    running = Evaluator(store, rules=RULES, now=lambda: 3.0, on_findings=lambda *_: None)
    running.start()
    yield running
    running.stop()


def begin(store: Store, evaluator: Evaluator, *, mute: list[str] | None = None) -> None:
    start = RunStart(project=PROJECT, name="n", started_at=1.0, mute=mute or [])
    store.start_run("r", start, now=1.0)
    evaluator.started("r", planned_steps=None, project=PROJECT, muted=start.mute)


def go_on(store: Store, evaluator: Evaluator, seq: int, *, loss: float = 2.0, moments: int = 2) -> None:
    """So many more moments to judge."""
    steps = list(range(seq * 1000, seq * 1000 + 50 * moments))
    points = MetricPoints(metric="loss", steps=steps, values=Floats.of([loss] * len(steps)))
    frame = Frame(run_id="r", writer=1, seq=seq, metrics=[points])
    store.append([ReceivedFrame(frame=frame, payload=encode_frame(frame), received_at=2.0)])
    evaluator.feed("r", [frame])
    assert evaluator.drain()


def say(store: Store, evaluator: Evaluator, change: RuleChange) -> None:
    store.set_rules(PROJECT, change, now=2.0)
    evaluator.rules_set(PROJECT)


def found(store: Store) -> dict[str, Finding]:
    return {finding.rule: finding for finding in store.findings("r")}


def states(store: Store) -> dict[str, str]:
    return {rule: finding.state for rule, finding in found(store).items()}


def test_what_stands_of_a_muted_rule_resolves_and_says_by_whom(store: Store, evaluator: Evaluator) -> None:
    begin(store, evaluator)
    go_on(store, evaluator, 0)
    assert states(store) == {"ill": "open", "other": "open"}
    say(store, evaluator, RuleChange(muted=["ill"], by="Ada"))
    go_on(store, evaluator, 1)

    assert states(store) == {"ill": "resolved", "other": "open"}
    assert found(store)["ill"].history[-1].comment == "muted in the project by Ada, version 1 of its rules"
    assert store.run("r").summary.health == 98


def test_a_rule_that_is_heard_again_opens_its_finding_again(store: Store, evaluator: Evaluator) -> None:
    begin(store, evaluator)
    go_on(store, evaluator, 0)
    for seq, muted in enumerate((["ill"], [])):
        say(store, evaluator, RuleChange(muted=muted))
        go_on(store, evaluator, seq + 1)

    assert [event.state for event in found(store)["ill"].history] == ["open", "resolved", "open"]


def test_a_muted_finding_that_a_person_reopens_is_resolved_again(store: Store, evaluator: Evaluator) -> None:
    begin(store, evaluator)
    go_on(store, evaluator, 0)
    say(store, evaluator, RuleChange(muted=["ill"]))
    go_on(store, evaluator, 1)
    evaluator.act("r", found(store)["ill"].finding_id, FindingAct(act="reopen")).result(20)
    go_on(store, evaluator, 2)

    assert states(store)["ill"] == "resolved"


def test_options_of_the_project_are_judged_by_from_the_next_moment_on(store: Store, evaluator: Evaluator) -> None:
    begin(store, evaluator)
    go_on(store, evaluator, 0)
    say(store, evaluator, RuleChange(options={"ill": {"line": 3.0}}))
    go_on(store, evaluator, 1, moments=4)
    assert states(store)["ill"] == "resolved"
    go_on(store, evaluator, 2, loss=4.0)

    assert states(store)["ill"] == "open"


def test_a_script_mutes_rules_for_its_own_run(store: Store, evaluator: Evaluator) -> None:
    begin(store, evaluator, mute=["ill", "unheard_of"])
    go_on(store, evaluator, 0)

    assert states(store) == {"other": "open"}


def test_a_run_that_is_recalled_is_judged_as_its_project_and_script_say(store: Store, evaluator: Evaluator) -> None:
    store.start_run("r", RunStart(project=PROJECT, name="n", started_at=1.0, mute=["other"]), now=1.0)
    store.set_rules(PROJECT, RuleChange(options={"ill": {"line": 3.0}}), now=2.0)
    go_on(store, evaluator, 0)
    go_on(store, evaluator, 1)
    assert states(store) == {}
    go_on(store, evaluator, 2, loss=4.0)

    assert states(store) == {"ill": "open"}


def test_what_was_kept_of_a_rule_that_is_no_more_silences_nothing(store: Store, evaluator: Evaluator) -> None:
    store.set_rules(PROJECT, RuleChange(muted=["gone"], options={"gone": {"a": 1}, "ill": {"gone": 1}}), now=2.0)
    begin(store, evaluator)
    go_on(store, evaluator, 0)

    assert states(store) == {"ill": "open", "other": "open"}


def test_what_another_server_was_told_is_heard_within_seconds(store: Store) -> None:
    now = [0.0]
    judges = Judges(store, RULES, monotonic=lambda: now[0])
    before = judges.of(PROJECT)
    store.set_rules(PROJECT, RuleChange(muted=["ill"]), now=2.0)

    assert judges.of(PROJECT) is before
    now[0] = LOOK_EVERY_SECONDS
    assert (after := judges.of(PROJECT)) is not before
    now[0] = 2 * LOOK_EVERY_SECONDS
    assert judges.of(PROJECT) is after


def test_rules_that_cannot_be_read_are_asked_for_again(store: Store, evaluator: Evaluator, tmp_path: Path) -> None:
    evaluator.stop()
    patient = Evaluator(store, rules=RULES, now=lambda: 3.0, on_findings=lambda *_: None, retry_seconds=0.01)
    begin(store, patient)
    with sqlite3.connect(tmp_path / "runs.sqlite3") as database:
        database.execute("ALTER TABLE rule_settings RENAME TO mislaid")
    patient.start()
    frame = Frame(run_id="r", writer=1, seq=0, metrics=[MetricPoints(metric="loss", steps=[0], values=Floats.of([2]))])
    patient.feed("r", [frame])
    assert not patient.drain(0.2)
    with sqlite3.connect(tmp_path / "runs.sqlite3") as database:
        database.execute("ALTER TABLE mislaid RENAME TO rule_settings")
    assert patient.drain()
    patient.stop()
