"""What the evaluator remembers of metrics and snapshots: by step, once each, bounded whatever comes."""

from __future__ import annotations

import pickle

import numpy as np

from benchmarks.diagnosis import frames, model
from trainvitals_server.evaluator.history import History


def test_a_step_that_is_recorded_anew_after_a_resume_takes_the_place_of_the_old() -> None:
    history = History("r")
    for step in range(700):
        history.add_point("loss", step, 1.0)
    history.resume(1, 100)
    history.add_point("loss", 50, 2.0)

    loss = history.window().metrics["loss"]
    assert (np.diff(loss.steps) > 0).all()
    assert loss.values[loss.steps == 50].tolist() == [2.0]


def test_points_that_come_late_stand_at_their_steps() -> None:
    history = History("r")
    for step in [*range(0, 3000, 2), *range(1, 101, 2)]:
        history.add_point("loss", step, float(step))

    loss = history.window().metrics["loss"]
    assert (np.diff(loss.steps) > 0).all()
    assert loss.values.tolist() == loss.steps.tolist()


def test_a_long_run_of_200_layers_is_remembered_within_a_megabyte() -> None:
    history = History("r")
    history.describe(model())
    for frame in frames(20_000):
        for _ in history.take(frame):
            pass

    assert history.step == 19_999
    assert len(pickle.dumps(history)) <= 1_000_000
