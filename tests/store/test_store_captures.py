"""A store keeps the newest request for a close look with its run, until the training has said what becomes of it."""

from __future__ import annotations

import pytest

from tests.store.sample_frames import RUN, start
from trainvitals.wire.capture import Capture, CaptureAnswer
from trainvitals.wire.messages import RunEnd
from trainvitals_server.store.interface import RunNotFound, RunNotRunning, Store

BEGUN = CaptureAnswer(number=1, outcome="begun", step=40)


def test_asking_again_while_the_training_has_not_heard_is_the_same_request(store: Store) -> None:
    start(store)
    assert store.capture(RUN) is None
    asked = [store.ask_capture(RUN, now=now) for now in (1000.0, 1001.0, 1119.0)]
    assert asked == [Capture(number=1, asked_at=1000.0)] * 3
    assert store.capture(RUN) == store.run(RUN).capture == asked[0]


def test_a_request_that_nobody_heard_of_is_replaced_by_the_next(store: Store) -> None:
    start(store)
    store.ask_capture(RUN, now=1000.0)
    assert store.ask_capture(RUN, now=1120.0) == Capture(number=2, asked_at=1120.0)
    assert store.answer_capture(RUN, BEGUN) is False
    assert store.run(RUN).capture == Capture(number=2, asked_at=1120.0)


def test_an_answer_is_kept_once(store: Store) -> None:
    start(store)
    store.ask_capture(RUN, now=1000.0)
    said = [BEGUN, BEGUN, CaptureAnswer(number=1, outcome="too soon", step=7)]
    assert [store.answer_capture(RUN, answer) for answer in said] == [True, False, False]
    assert store.capture(RUN) == Capture(number=1, asked_at=1000.0, outcome="begun", step=40)
    assert store.ask_capture(RUN, now=1001.0).number == 2


def test_nothing_is_asked_of_a_training_that_is_over_or_lost(store: Store) -> None:
    start(store)
    store.mark_lost(silent_since=2000.0)
    with pytest.raises(RunNotRunning, match="not been heard of"):
        store.ask_capture(RUN, now=1000.0)
    store.end_run(RUN, RunEnd(status="failed", ended_at=2001.0))
    with pytest.raises(RunNotRunning, match="failed"):
        store.ask_capture(RUN, now=1000.0)


def test_nothing_is_asked_of_nobody(store: Store) -> None:
    for ask in (
        lambda: store.ask_capture("nobody", now=1.0),
        lambda: store.capture("nobody"),
        lambda: store.answer_capture("nobody", BEGUN),
    ):
        with pytest.raises(RunNotFound):
            ask()
