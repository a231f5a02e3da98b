"""Findings open when confirmed, change while they last, and resolve when the symptom is gone."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, LayerStats, MetricPoints, encode_frame, section
from trainvitals.wire.messages import Finding, LayerInfo, ModelInfo, RunEnd, RunStart
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


def keep(
    store: Store, values: list[float], *, seq: int = 0, first_step: int = 0, attempt: int = 0, run_id: str = "r"
) -> Frame:
    steps = list(range(first_step, first_step + len(values)))
    points = MetricPoints(metric="loss", steps=steps, values=Floats.of(values))
    return stored(store, Frame(run_id=run_id, writer=1, seq=seq, attempt=attempt, metrics=[points]))


def keep_layers(store: Store, step: int, layers: list[str], stat: str, values: list[float]) -> Frame:
    part = section(stat, Floats.of(values).data)
    snapshot = LayerStats(steps=[step], layers=layers, sections=[part])
    return stored(store, Frame(run_id="r", writer=1, seq=step, layer_stats=snapshot))


def snapshot_frame(step: int, stats: list[str]) -> Frame:
    sections = [section(stat, Floats.of([0.001]).data) for stat in stats]
    return Frame(run_id="r", writer=1, seq=step, layer_stats=LayerStats(steps=[step], layers=["a"], sections=sections))


def stored(store: Store, frame: Frame) -> Frame:
    store.append([ReceivedFrame(frame=frame, payload=encode_frame(frame), received_at=2.0)])
    return frame


@pytest.fixture
def judge(store: Store) -> Iterator[Any]:
    running: list[Evaluator] = []

    def start(*, begin: bool = True, **more: Any) -> Evaluator:
        evaluator = Evaluator(store, now=lambda: 3.0, on_findings=lambda *_: None, **more)
        if begin:
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

    evaluator.started("r", planned_steps=None)
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


def test_what_a_resumed_run_took_back_is_resolved_when_it_goes_well(store: Store, judge: Any) -> None:
    evaluator = judge()
    evaluator.started("r", planned_steps=None)
    evaluator.feed("r", [keep(store, [2.0] * 20 + [float("nan")] * 5)])
    assert evaluator.drain()
    assert states(store.findings("r")) == ["open"]

    well = [2.0 / (1 + 0.1 * step) for step in range(200)]
    evaluator.feed("r", [keep(store, well, seq=1, first_step=10, attempt=1)])

    assert evaluator.drain()
    assert states(store.findings("r")) == ["resolved"]
    assert store.run("r").summary.health == 100


def test_nan_from_before_the_step_that_a_run_resumed_from_stays(store: Store, judge: Any) -> None:
    evaluator = judge()
    evaluator.started("r", planned_steps=None)
    evaluator.feed("r", [keep(store, [2.0] * 5 + [float("nan")] * 5)])

    evaluator.feed("r", [keep(store, [float("nan")] * 200, seq=1, first_step=8, attempt=1)])

    assert evaluator.drain()
    assert states(store.findings("r")) == ["open"]


def test_frames_that_come_faster_than_they_can_be_judged_are_judged_all_the_same(store: Store, judge: Any) -> None:
    evaluator = judge(begin=False)
    evaluator.started("r", planned_steps=None)
    frames = [keep(store, [2.0 if seq else float("nan")], seq=seq, first_step=seq) for seq in range(400)]
    for frame in frames:
        evaluator.feed("r", [frame])
    evaluator.start()

    assert evaluator.drain()
    assert [finding.rule for finding in store.findings("r")] == ["non_finite_values"]


def test_a_run_that_is_always_too_fast_gets_its_findings_while_it_goes_on(store: Store, judge: Any) -> None:
    evaluator = judge()
    for first in (0, 300):  # both times more than may wait
        steps = range(first, first + 300)
        evaluator.feed("r", [keep(store, [2.0 + 0.01 * (step % 3)], seq=step, first_step=step) for step in steps])
        assert evaluator.drain()

    assert [finding.rule for finding in store.findings("r")] == ["loss_not_decreasing"]


def test_a_run_with_much_to_judge_lets_others_have_their_turn(store: Store, judge: Any) -> None:
    looks: list[str] = []

    def noting(window: Any) -> list[Symptom]:
        looks.append(window.run_id)
        return []

    store.start_run("small", RunStart(project="p", name="n", started_at=1.0), now=1.0)
    evaluator = judge(begin=False, rules={"non_finite_values": noting})
    for run_id in ("r", "small"):
        evaluator.started(run_id, planned_steps=None)
    evaluator.feed("r", [keep(store, [2.0] * 60, seq=seq, first_step=60 * seq) for seq in range(64)])
    evaluator.feed("small", [keep(store, [2.0], run_id="small")])
    evaluator.start()

    assert evaluator.drain()
    assert looks.index("small") < len(looks) // 2


def test_a_store_that_is_away_at_the_end_gets_the_last_word_when_it_is_back(
    store: Store, judge: Any, tmp_path: Path
) -> None:
    told = threading.Event()
    evaluator = judge(retry_seconds=0.01)
    evaluator.started("r", planned_steps=None)
    frame = keep(store, [2.0 + 0.01 * (step % 3) for step in range(400)])
    store.end_run("r", RunEnd(status="finished", ended_at=4.0))

    with sqlite3.connect(tmp_path / "runs.sqlite3") as database:
        database.execute("ALTER TABLE finding RENAME TO mislaid")
        database.commit()
        evaluator.feed("r", [frame])
        evaluator.ended("r")
        assert not evaluator.drain(timeout=0.3)
        database.execute("ALTER TABLE mislaid RENAME TO finding")
    evaluator.when_settled("r", told.set)

    assert told.wait(10)
    assert [finding.rule for finding in store.findings("r")] == ["loss_not_decreasing"]
    assert store.unjudged() == []


def test_a_recalled_run_is_as_it_was_recorded_and_nothing_in_it_is_nan_for_want_of_a_record(
    store: Store, judge: Any
) -> None:
    windows: list[Any] = []
    names = [f"layer{number}" for number in range(5)]
    for step in range(0, 600, 2):
        keep_layers(store, step, names, "grad_norm", [step + 0.1 * place for place in range(5)])
        keep_layers(store, step + 1, names, "update_ratio", [1.0, 2.0, 3.0, 4.0, 5.0])
    evaluator = judge(rules={"non_finite_values": lambda window: windows.append(window) or ()})

    evaluator.ended("r")

    assert evaluator.drain()
    window = windows[-1]
    assert window.layers == tuple(names)
    newest = {int(step): place for place, step in enumerate(window.steps)}
    assert {596, 597, 598, 599} <= newest.keys()
    assert window.stats["grad_norm"][newest[598]].tolist() == pytest.approx([598.0, 598.1, 598.2, 598.3, 598.4])
    assert window.stats["update_ratio"][newest[599]].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert not any(wrong.any() for wrong in window.nonfinite.values())


def test_of_a_recalled_run_whose_layers_changed_the_newest_are_judged(store: Store, judge: Any) -> None:
    windows: list[Any] = []
    for step in range(200):
        keep_layers(store, step, ["stem", "head"] if step < 150 else ["head", "new"], "grad_norm", [1.0, 2.0])
    evaluator = judge(rules={"non_finite_values": lambda window: windows.append(window) or ()})

    evaluator.ended("r")

    assert evaluator.drain()
    window = windows[-1]
    assert window.layers == ("head", "new")
    assert (window.stats["grad_norm"][-1].tolist(), window.steps[-1]) == ([1.0, 2.0], 199)
    assert not any(wrong.any() for wrong in window.nonfinite.values())


def test_a_recalled_gradient_that_is_lost_is_lost(store: Store, judge: Any) -> None:
    for step in range(100):
        keep_layers(store, step, ["a", "b"], "grad_norm", [1.0, 2.0 if step < 60 else float("nan")])
    evaluator = judge()

    evaluator.ended("r")

    assert evaluator.drain()
    assert [(found.rule, found.first_step) for found in store.findings("r")] == [("non_finite_values", 60)]


def test_frames_that_arrive_while_a_run_is_recalled_make_no_finding(store: Store, judge: Any) -> None:
    """A training that ships its backlog at once while the server recalls it."""
    stats = ["grad_norm", "update_ratio", "weight_norm", "zero_fraction", "activation_std"]
    store.set_model("r", ModelInfo(layers=[LayerInfo(name="a", kind="Linear", parameters=9, trainable=9)]))
    frames = [snapshot_frame(step, stats) for step in range(2400)]
    for frame in frames[:800]:
        stored(store, frame)
    evaluator = judge()
    for start in range(800, 2400, 40):
        evaluator.feed("r", [stored(store, frame) for frame in frames[start : start + 40]] * 8)  # too many each time

    assert evaluator.drain()
    assert store.findings("r") == []


def test_of_many_metrics_those_that_rules_read_are_kept(store: Store, judge: Any) -> None:
    windows: list[Any] = []
    evaluator = judge(rules={"non_finite_values": lambda window: windows.append(window) or ()})
    evaluator.started("r", planned_steps=None)
    names = [*(f"image_{number}" for number in range(100)), "loss", "lr"]
    points = [MetricPoints(metric=name, steps=[1], values=Floats.of([1.0])) for name in names]

    evaluator.feed("r", [stored(store, Frame(run_id="r", writer=1, seq=0, metrics=points))])

    assert evaluator.drain()
    assert {"loss", "lr", "image_0"} <= windows[-1].metrics.keys()
    assert len(windows[-1].metrics) < 40


def test_a_run_that_resumed_while_nobody_looked_is_judged_from_where_it_resumed(store: Store, judge: Any) -> None:
    first = judge()
    first.feed("r", [keep(store, [2.0] * 20 + [float("nan")] * 5)])
    assert first.drain()
    first.stop()
    keep(store, [2.0 / (1 + 0.1 * step) for step in range(100)], seq=1, first_step=10, attempt=1)

    second = judge()
    for seq, start in enumerate(range(110, 400, 60), start=2):
        second.feed("r", [keep(store, [0.2] * 60, seq=seq, first_step=start, attempt=1)])
        assert second.drain()

    assert states(store.findings("r")) == ["resolved"]


def test_of_many_stats_as_many_are_kept_as_memory_allows(store: Store, judge: Any) -> None:
    windows: list[Any] = []
    evaluator = judge(rules={"non_finite_values": lambda window: windows.append(window) or ()})
    evaluator.started("r", planned_steps=None)
    stats = [f"stat_{number}" for number in range(50)]
    wide = [f"layer_{number}" for number in range(4000)]
    zeros = np.zeros(len(wide), "<f4").tobytes()
    for step in range(40):
        names = stats if step % 2 else [f"other_{name}" for name in stats]
        part = LayerStats(steps=[step // 2], layers=wide, sections=[section(name, zeros) for name in names])
        evaluator.feed("r", [stored(store, Frame(run_id="r", writer=1, seq=step, layer_stats=part))])

    assert evaluator.drain()
    window = windows[-1]
    assert (len(window.stats), len(window.steps)) == (64, 20)
