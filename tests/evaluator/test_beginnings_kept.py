"""What a metric began with is known however long the run has become, and after a restart of the server, too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, MetricPoints, encode_frame
from trainvitals.wire.messages import RunStart
from trainvitals_server.diagnosis.reading import LossTrend, loss_trend
from trainvitals_server.evaluator.history import FIRST_POINTS, History
from trainvitals_server.evaluator.remembering import remembered
from trainvitals_server.store.interface import ReceivedFrame
from trainvitals_server.store.opening import open_store

PER_FRAME = 5_000


def losses(steps: int) -> list[float]:
    """Falls for some hundred steps from 2.8, and then rests at 0.5."""
    noise = np.random.default_rng(0).standard_normal(steps)
    return list(map(float, 2.3 * np.exp(-np.arange(steps) / 300) + 0.5 + 0.01 * noise))


def lived(values: list[float]) -> History:
    history = History("r")
    for step, value in enumerate(values):
        history.add_point("loss", step, value)
    return history


def trend(history: History) -> LossTrend:
    found = loss_trend(history.window().loss)
    assert found is not None
    return found


@pytest.mark.parametrize("steps", [1_000, 20_000, 200_000])
def test_a_loss_is_measured_by_where_it_began(steps: int) -> None:
    found = trend(lived(losses(steps)))

    assert found.start == pytest.approx(2.8, abs=0.05)
    assert found.fallen > 0.75


def test_the_past_stays_bounded() -> None:
    assert len(lived(losses(50_000)).window().metrics["loss"].steps) <= 1024


@pytest.mark.parametrize("merged", [True, False])
@pytest.mark.parametrize("steps", [3_000, 40_000])
def test_a_run_that_is_recalled_begins_as_it_began(tmp_path: Path, steps: int, merged: bool) -> None:
    values = losses(steps)
    store = open_store(f"sqlite:///{tmp_path}/runs.sqlite3")
    store.start_run("r", RunStart(project="p", name="n", started_at=1.0), now=1.0)
    for seq, start in enumerate(range(0, steps, PER_FRAME)):
        part = values[start : start + PER_FRAME]
        points = MetricPoints(metric="loss", steps=list(range(start, start + len(part))), values=Floats.of(part))
        frame = Frame(run_id="r", writer=1, seq=seq, metrics=[points])
        store.append([ReceivedFrame(frame=frame, payload=encode_frame(frame), received_at=2.0)])
    if merged:
        store.merge(force=True)

    history, _ = remembered(store, "r")
    store.close()

    recalled, known = history.window().metrics["loss"], lived(values).window().metrics["loss"]
    assert recalled.steps[:FIRST_POINTS].tolist() == list(range(FIRST_POINTS))
    assert recalled.values[:FIRST_POINTS].tolist() == known.values[:FIRST_POINTS].tolist()
    assert trend(history).start == trend(lived(values)).start
