"""Layers that were frozen and are trained now are judged by what came since."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, LayerStats, MetricPoints, encode_frame, section
from trainvitals.wire.messages import LayerInfo, ModelInfo, RunStart
from trainvitals_server.evaluator.history import History
from trainvitals_server.evaluator.remembering import remembered
from trainvitals_server.store.interface import ReceivedFrame
from trainvitals_server.store.opening import open_store

LAYERS = ("body", "head")
FROZEN, THAWED = range(20), range(20, 30)


def described(*, trainable: int, since: int) -> ModelInfo:
    layers = [LayerInfo(name=name, kind="Linear", trainable=trainable if name == "body" else 8) for name in LAYERS]
    return ModelInfo(layers=layers, since_step=since)


def snapshot(step: int) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float32]]]:
    return {"update_ratio": np.array([0.0 if step in FROZEN else 1e-3, 1e-3], np.float32)}


def test_what_was_recorded_of_frozen_layers_is_forgotten_and_not_taken_any_more() -> None:
    history = History("r")
    history.describe(described(trainable=0, since=0))
    for step in FROZEN[:-1]:
        history.add_snapshot(step, LAYERS, snapshot(step))
    history.describe(described(trainable=8, since=THAWED[0]))
    for step in (FROZEN[-1], *THAWED):  # the description came before what was on its way
        history.add_snapshot(step, LAYERS, snapshot(step))
    window = history.window()

    assert window.steps.tolist() == list(THAWED)
    assert window.stats["update_ratio"].min() > 0


def test_nor_is_it_recalled(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/runs.sqlite3")
    store.start_run("r", RunStart(project="p", name="n", started_at=1.0), now=1.0)
    for seq, step in enumerate((*FROZEN, *THAWED)):
        stats = LayerStats(
            steps=[step],
            layers=list(LAYERS),
            sections=[section(stat, values.tobytes()) for stat, values in snapshot(step).items()],
        )
        points = MetricPoints(metric="loss", steps=[step], values=Floats.of([1.0]))
        frame = Frame(run_id="r", writer=1, seq=seq, layer_stats=stats, metrics=[points])
        store.append([ReceivedFrame(frame=frame, payload=encode_frame(frame), received_at=2.0)])
    store.set_model("r", described(trainable=8, since=THAWED[0]))

    history, _ = remembered(store, "r")
    store.close()

    assert history.window().steps.tolist() == list(THAWED)
    assert len(history.window().metrics["loss"].steps) == 30
