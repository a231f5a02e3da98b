"""That nothing was found says little of a run that is young or not watched, and the run says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import trainvitals as tv
from tests.real_server import serving
from trainvitals.wire.messages import OptimizerInfo, ParameterGroup
from trainvitals_server.diagnosis.checklist.knowing import is_little_known
from trainvitals_server.diagnosis.window import Window


@pytest.mark.parametrize(("steps", "is_watched", "is_little"), [(8, True, True), (60, True, False), (60, False, True)])
def test_little_is_known_of_a_run_that_is_young_or_not_watched(
    tmp_path: Path, steps: int, is_watched: bool, is_little: bool
) -> None:
    torch.manual_seed(0)
    model, teacher = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 4)), torch.randn(20, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    with serving(tmp_path) as server:
        with tv.init(project="tests", server_url=server.url, directory=tmp_path / "spool") as run:
            if is_watched:
                run.watch(model, optimizer)
            for _ in range(steps):
                inputs = torch.randn(64, 20)
                loss = nn.functional.cross_entropy(model(inputs), (inputs @ teacher).argmax(1))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                run.log({"loss": loss})
        summary = server.only_run.summary

    assert (summary.health, summary.little_known) == (100, is_little)


def test_settings_of_other_clients_are_no_numbers_and_hinder_nothing() -> None:
    groups = [ParameterGroup(settings={"weight_decay": (0.1, 0.01)}), ParameterGroup(settings={"weight_decay": "low"})]
    window = Window(run_id="r", step=9, layers=(), metrics={}, optimizers=(OptimizerInfo(kind="Own", groups=groups),))
    assert is_little_known(window)
