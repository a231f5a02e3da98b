"""Whoever sends frames is told of findings, once, and again where the answer may have been lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, MetricPoints, encode_frame
from trainvitals.wire.messages import RunStart
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window
from trainvitals_server.evaluator import Evaluator
from trainvitals_server.store.interface import ReceivedFrame, Store
from trainvitals_server.store.opening import open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/runs.sqlite3")
    opened.start_run("r", RunStart(project="p", name="n", started_at=1.0), now=1.0)
    yield opened
    opened.close()


def worsening(window: Window) -> Iterator[Symptom]:
    """A warning, critical from step 50 on."""
    severity = "critical" if window.step >= 50 else "warning"
    yield Symptom(rule="non_finite_values", severity=severity, summary="ill", first_step=0, last_step=window.step)


def judged(evaluator: Evaluator, store: Store, seq: int, step: int) -> None:
    points = MetricPoints(metric="loss", steps=[step], values=Floats.of([1.0]))
    frame = Frame(run_id="r", writer=1, seq=seq, metrics=[points])
    store.append([ReceivedFrame(frame=frame, payload=encode_frame(frame), received_at=2.0)])
    evaluator.feed("r", [frame])
    assert evaluator.drain()


@pytest.fixture
def evaluator(store: Store) -> Iterator[Evaluator]:
    running = Evaluator(store, rules={"non_finite_values": worsening}, now=lambda: 3.0, on_findings=lambda *_: None)
    running.start()
    yield running
    running.stop()


def told(evaluator: Evaluator, writer: int = 1, *, again: bool = False) -> list[str]:
    return [finding.severity for finding in evaluator.news("r", writer, again=again)]


def test_a_finding_that_grows_graver_is_told_again(store: Store, evaluator: Evaluator) -> None:
    judged(evaluator, store, 0, 10)
    assert (told(evaluator), told(evaluator)) == (["warning"], [])
    judged(evaluator, store, 1, 60)
    assert (told(evaluator), told(evaluator)) == (["critical"], [])


def test_an_answer_that_may_have_been_lost_is_given_once_more(store: Store, evaluator: Evaluator) -> None:
    judged(evaluator, store, 0, 10)
    assert [told(evaluator), told(evaluator, again=True)] == [["warning"], ["warning"]]
    judged(evaluator, store, 1, 60)
    assert [told(evaluator), told(evaluator, again=True), told(evaluator)] == [["critical"], ["critical"], []]


def test_who_goes_on_with_a_run_is_told_of_what_is_open(store: Store, evaluator: Evaluator) -> None:
    judged(evaluator, store, 0, 10)
    judged(evaluator, store, 1, 60)
    assert [told(evaluator, 2), told(evaluator, 2)] == [["critical"], []]


def test_a_new_server_tells_of_what_the_old_one_found(store: Store, evaluator: Evaluator) -> None:
    judged(evaluator, store, 0, 10)
    evaluator.stop()
    second = Evaluator(store, rules={}, now=lambda: 4.0, on_findings=lambda *_: None)
    second.start()
    judged(second, store, 1, 11)
    assert [told(second), told(second)] == [["warning"], []]
    second.stop()
