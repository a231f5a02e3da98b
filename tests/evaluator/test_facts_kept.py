"""Facts are kept for the rules, however many metrics a script logs."""

from __future__ import annotations

from pathlib import Path

from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, MetricPoints, encode_frame
from trainvitals.wire.messages import InitialWeights, LayerInfo, ModelInfo, RunStart
from trainvitals_server.evaluator.history import FACT_POINTS, MOST_METRICS, History
from trainvitals_server.evaluator.remembering import remembered
from trainvitals_server.store.interface import ReceivedFrame
from trainvitals_server.store.opening import open_store


def test_facts_are_kept_beside_as_many_metrics_as_there_is_room_for() -> None:
    history = History("r")
    for index in range(2 * MOST_METRICS):
        history.add_point(f"mine/{index}", 0, 1.0)
    history.add_point("facts/accuracy", 0, 0.5)
    history.add_point("facts/classes", 0, 10.0)
    kept = history.window().metrics

    assert {"facts/accuracy", "facts/classes"} <= kept.keys()
    assert len(kept) == MOST_METRICS + 2


def test_facts_take_no_room_from_other_metrics() -> None:
    history = History("r")
    for index in range(MOST_METRICS):
        history.add_point(f"facts/{index}", 0, 1.0)
    history.add_point("mine", 0, 1.0)

    assert "mine" in history.window().metrics


def test_the_past_of_a_fact_is_thinned() -> None:
    history = History("r")
    for step in range(10_000):
        history.add_point("facts/accuracy", step, 0.5)
    steps = history.window().metrics["facts/accuracy"].steps

    assert len(steps) <= 2 * FACT_POINTS
    assert (steps[0], steps[-1]) == (0, 9_999)


def test_a_run_that_is_recalled_has_its_facts_and_what_its_layers_declared(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/runs.sqlite3")
    store.start_run("r", RunStart(project="p", name="n", started_at=1.0), now=1.0)
    names = [*(f"mine/{index:03d}" for index in range(2 * MOST_METRICS)), "facts/classes"]
    points = [MetricPoints(metric=name, steps=[0], values=Floats.of([10.0])) for name in names]
    frame = Frame(run_id="r", writer=1, seq=0, metrics=points)
    store.append([ReceivedFrame(frame=frame, payload=encode_frame(frame), received_at=2.0)])
    initial = InitialWeights(std=0.0, largest=0.1, fan_in=64, equal_rows=True)
    head = LayerInfo(name="head", kind="Linear", settings={"out_features": 10.0}, initial=initial)
    store.set_model("r", ModelInfo(layers=[head]))

    history, _ = remembered(store, "r")
    window = history.window()
    store.close()

    assert window.metrics["facts/classes"].values.tolist() == [10.0]
    assert window.info["head"] == head
