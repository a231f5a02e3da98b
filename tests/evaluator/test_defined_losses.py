"""Which metric is the loss is what the script says, whenever it says it, and whoever has to recall it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, MetricPoints, encode_frame
from trainvitals.wire.messages import RunStart
from trainvitals.wire.notes import MetricDefinition, Note
from trainvitals_server.evaluator import Evaluator
from trainvitals_server.evaluator.history import MOST_METRICS, MOST_WITH_LOSSES, History
from trainvitals_server.store.interface import ReceivedFrame, Store
from trainvitals_server.store.opening import open_store

DEFINED = {"*/objective": MetricDefinition(role="loss")}
NOTE = Note(writer=1, seq=0, metrics=DEFINED)
NAME = "mine/objective"
STEPS = 100


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/runs.sqlite3")
    opened.start_run("r", RunStart(project="p", name="n", started_at=1.0, ranks=2), now=1.0)
    yield opened
    opened.close()


@contextmanager
def judging(store: Store) -> Iterator[Evaluator]:
    running = Evaluator(store, now=lambda: 3.0, on_findings=lambda *_: None)
    running.start()
    yield running
    running.stop()


def kept(store: Store, *, rank: int = 0, ill: bool = False) -> Frame:
    """A hundred steps of a loss of the script's own name; NaN at the end, where the run is ill."""
    values = [1.0 / (1 + step) for step in range(STEPS - 5)] + [float("nan") if ill else 0.01] * 5
    points = MetricPoints(metric=NAME, steps=list(range(STEPS)), values=Floats.of(values))
    frame = Frame(run_id="r", writer=rank + 1, seq=0, rank=rank, metrics=[points])
    store.append([ReceivedFrame(frame=frame, payload=encode_frame(frame), received_at=2.0)])
    return frame


def feed(store: Store, evaluator: Evaluator, *, rank: int = 0, ill: bool = False) -> None:
    evaluator.feed("r", [kept(store, rank=rank, ill=ill)])
    assert evaluator.drain()


def define(store: Store, evaluator: Evaluator) -> None:
    store.note("r", NOTE)
    evaluator.defined("r", DEFINED)
    assert evaluator.drain()


def found(store: Store) -> list[tuple[str, str | None]]:
    return [(one.rule, one.evidence.metric) for one in store.findings("r") if one.evidence]


@pytest.mark.parametrize("when", ["before", "after", "never"])
def test_a_loss_of_any_name_is_judged_once_it_is_defined(store: Store, when: str) -> None:
    with judging(store) as evaluator:
        evaluator.started("r", planned_steps=None)
        if when == "before":
            define(store, evaluator)
        feed(store, evaluator, ill=True)
        if when == "after":
            define(store, evaluator)
    assert (("non_finite_values", NAME) in found(store)) == (when != "never")


def test_who_recalls_the_run_recalls_which_metric_is_its_loss(store: Store) -> None:
    with judging(store) as first:
        first.started("r", planned_steps=None)
        define(store, first)
    with judging(store) as second:
        feed(store, second, ill=True)
    assert ("non_finite_values", NAME) in found(store)


def test_what_another_rank_logs_as_its_loss_counts(store: Store) -> None:
    with judging(store) as evaluator:
        evaluator.started("r", planned_steps=None)
        define(store, evaluator)
        feed(store, evaluator, rank=1, ill=True)
        feed(store, evaluator)
    assert ("non_finite_values", NAME) in found(store)


def test_what_another_rank_logged_as_its_loss_is_recalled(store: Store) -> None:
    store.note("r", NOTE)
    kept(store, rank=1, ill=True)
    kept(store)
    with judging(store) as evaluator:
        evaluator.ended("r")
        assert evaluator.drain()
    assert ("non_finite_values", NAME) in found(store)


def test_a_loss_is_kept_beyond_other_metrics_and_a_pattern_does_not_fill_the_memory() -> None:
    history = History("r")
    history.define({"mine/*": MetricDefinition(role="loss")})
    for index in range(MOST_METRICS):
        history.add_point(f"other {index}", 0, 1.0)
    for index in range(10 * MOST_WITH_LOSSES):
        history.add_point(f"mine/{index}", 0, 1.0)
    history.add_point("lr", 0, 0.1)

    window = history.window()
    assert (window.loss_name.startswith("mine/"), "lr" in window.metrics) == (True, True)
    assert len(window.metrics) == MOST_WITH_LOSSES + 1


def test_a_definition_without_a_role_takes_it_back() -> None:
    history = History("r")
    for name in ("loss", "objective"):
        history.add_point(name, 0, 1.0)
    history.define({"objective": MetricDefinition(role="loss")})
    assert history.window().loss_name == "objective"
    history.define({"objective": MetricDefinition(goal="minimize")})
    assert history.window().loss_name == "loss"
