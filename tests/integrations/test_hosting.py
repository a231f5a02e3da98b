"""A run's steps where another library counts them."""

from __future__ import annotations

from argparse import Namespace

import torch

import trainvitals as tv
from tests.integrations.conftest import Kept
from trainvitals.integrations.hosting import HostedRun


def test_snapshots_and_metrics_stay_together_where_a_step_is_skipped(kept: Kept) -> None:
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with tv.init() as run:
        run.watch(model, optimizer, every=1)
        for step in range(4):
            assert run.begin_step(step) == step
            model(torch.ones(1, 2)).sum().backward()
            if step != 1:  # as a GradScaler does that has met infinity
                optimizer.step()
            run.log({"loss": float(step)})
    assert kept.points("loss") == [(step, float(step)) for step in range(4)]
    assert kept.sampled == [0, 2, 3]


def test_steps_never_go_back(kept: Kept) -> None:
    with tv.init() as run:
        assert [run.begin_step(step) for step in (7, 3, 8)] == [7, 7, 8]
    assert kept.end.last_step == 8


def test_settings_that_are_given_beat_those_of_the_trainer(kept: Kept) -> None:
    hosted = HostedRun({"name": "mine", "config": Namespace(lr=0.2)}, of="test")
    hosted.join(config=lambda: {"lr": 0.1, "seed": 1}, name="theirs", project="theirs")
    hosted.end()
    assert (kept.start.name, kept.start.project) == ("mine", "theirs")
    assert kept.start.config == {"lr": 0.2, "seed": 1}


def test_a_run_that_cannot_be_kept_is_begun_once() -> None:
    hosted = HostedRun({"directory": "/proc/none"}, of="test")
    runs = {hosted.join(config=dict).run_id for _ in range(3)}
    assert len(runs) == 1
    hosted.end()
    assert tv.run is None
