"""Findings open when confirmed, change while they last, and resolve when the symptom is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, MetricPoints, encode_frame
from trainvitals.wire.messages import Finding, RunStart
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.evaluator import Evaluator
from trainvitals_server.evaluator.lifecycle import Life
from trainvitals_server.store.interface import ReceivedFrame, Store
from trainvitals_server.store.opening import open_store


def symptom(rule: str = "loss_spike", *, last_step: int = 10) -> Symptom:
    return Symptom(rule=rule, severity="warning", summary="ill", first_step=5, last_step=last_step)


def states(findings: list[Finding]) -> list[str]:
    return [finding.state for finding in findings]


def test_a_finding_opens_at_the_second_look() -> None:
    life = Life("r")

    assert states(life.judge([symptom()], now=1.0)) == []
    assert states(life.judge([symptom()], now=2.0)) == ["open"]


def test_nan_opens_at_once() -> None:
    assert states(Life("r").judge([symptom("non_finite_values")], now=1.0)) == ["open"]


def test_a_finding_resolves_after_three_quiet_looks_and_keeps_its_id_when_it_returns() -> None:
    life = Life("r")
    (opened,) = [found for now in (1.0, 2.0) for found in life.judge([symptom()], now=now)]

    quiet = [life.judge([], now=now) for now in (3.0, 4.0, 5.0)]
    (again,) = [found for now in (6.0, 7.0) for found in life.judge([symptom(last_step=20)], now=now)]

    assert [states(changed) for changed in quiet] == [[], [], ["resolved"]]
    assert (again.finding_id, again.state, again.last_step) == (opened.finding_id, "open", 20)


def test_nothing_is_resolved_because_a_run_ended() -> None:
    life = Life("r")
    life.judge([symptom("non_finite_values")], now=1.0)

    assert life.judge([], now=2.0, is_last=True) == []


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/runs.sqlite3")
    opened.start_run("r", RunStart(project="p", name="n", started_at=1.0), now=1.0)
    yield opened
    opened.close()


def keep(store: Store, values: list[float], *, seq: int = 0, first_step: int = 0) -> Frame:
    steps = list(range(first_step, first_step + len(values)))
    points = MetricPoints(metric="loss", steps=steps, values=Floats.of(values))
    frame = Frame(run_id="r", writer=1, seq=seq, metrics=[points])
    store.append([ReceivedFrame(frame=frame, payload=encode_frame(frame), received_at=2.0)])
    return frame


@pytest.fixture
def judge(store: Store) -> Iterator[Any]:
    running: list[Evaluator] = []

    def start(**more: Any) -> Evaluator:
        evaluator = Evaluator(store, now=lambda: 3.0, on_findings=lambda *_: None, **more)
        evaluator.start()
        running.append(evaluator)
        return evaluator

    yield start
    for evaluator in running:
        evaluator.stop()


def test_a_sick_run_gets_its_finding_in_the_store_and_tells_each_writer_once(store: Store, judge: Any) -> None:
    evaluator = judge()

    evaluator.feed("r", [keep(store, [1.0, float("nan")])])

    assert evaluator.drain()
    assert [finding.rule for finding in store.findings("r")] == ["non_finite_values"]
    assert [len(evaluator.news("r", writer)) for writer in (1, 1, 2)] == [1, 0, 1]
    assert store.run("r").summary.health == 30


@pytest.mark.parametrize("at_once", [1, 7, 400])
def test_findings_do_not_depend_on_how_fast_a_run_was(store: Store, judge: Any, at_once: int) -> None:
    losses = [2.0 + 0.01 * (step % 3) for step in range(400)]
    evaluator = judge()

    for seq, first in enumerate(range(0, 400, at_once)):
        evaluator.feed("r", [keep(store, losses[first : first + at_once], seq=seq, first_step=first)])
    evaluator.ended("r")

    assert evaluator.drain()
    assert [(found.rule, found.first_step, found.evidence.value) for found in store.findings("r")] == [
        ("loss_not_decreasing", 0, pytest.approx(2.01))
    ]


def test_a_new_server_goes_on_with_what_the_old_one_found(store: Store, judge: Any) -> None:
    first = judge()
    first.feed("r", [keep(store, [1.0, float("nan")])])
    assert first.drain()
    first.stop()

    second = judge()
    second.feed("r", [keep(store, [float("nan")], seq=1, first_step=2)])

    assert second.drain()
    assert [(found.rule, found.first_step, found.last_step) for found in store.findings("r")] == [
        ("non_finite_values", 1, 2)
    ]


def test_a_rule_that_raises_does_not_silence_the_others(store: Store, judge: Any) -> None:
    def broken(_: Any) -> Iterator[Symptom]:
        raise ZeroDivisionError

    evaluator = judge(rules={"broken": broken, "sound": lambda _: [symptom("non_finite_values")]})

    evaluator.feed("r", [keep(store, [1.0])])

    assert evaluator.drain()
    assert [finding.rule for finding in store.findings("r")] == ["non_finite_values"]
