"""The SDK is light, obeys its settings, and says what it needs."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import trainvitals
from tests.sdk.conftest import records
from trainvitals.command import main
from trainvitals.environment import new_run_id
from trainvitals.outbox import Outbox
from trainvitals.settings import InvalidSetting, read_settings
from trainvitals.wire import coding
from trainvitals.wire.messages import RunStart


def test_import_loads_neither_torch_nor_urllib3_nor_numpy() -> None:
    code = "import trainvitals, sys; print([name for name in ('torch', 'urllib3', 'numpy') if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_metrics_are_recorded_where_there_is_no_torch(offline: Any) -> None:
    code = f"""
import sys; sys.modules["torch"] = None
import trainvitals as tv
run = tv.init(mode="offline", directory={str(offline.directory)!r})
run.log({{"loss": 1.0}})
run.finish()
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert offline.points("loss") == [(0, 1.0)]


def test_arguments_beat_the_environment_which_beats_defaults(tmp_path: Path) -> None:
    environment = {"TRAINVITALS_MODE": "offline", "TRAINVITALS_PROJECT": "theirs", "TRAINVITALS_DIR": str(tmp_path)}
    settings = read_settings(project="mine", environment=environment)
    assert (settings.project, settings.mode, settings.directory) == ("mine", "offline", tmp_path)
    assert settings.server_url == "http://127.0.0.1:7360"


@pytest.mark.parametrize("environment", [{"TRAINVITALS_MODE": "of"}, {"TRAINVITALS_EVERY": "0"}])
def test_a_setting_that_makes_no_sense_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(InvalidSetting, match=r"of|EVERY"):
        read_settings(environment=environment)


def test_a_disabled_run_does_nothing(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1)
    run = trainvitals.init(mode="disabled", directory=tmp_path / "none")
    run.watch(model, torch.optim.SGD(model.parameters(), lr=0.1))
    trainvitals.log({"loss": 1.0})
    trainvitals.finish()
    assert not (tmp_path / "none").exists()
    assert not model._forward_hooks


def test_module_functions_need_a_run() -> None:
    code = "import trainvitals; trainvitals.log({'loss': 1.0})"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (
        answer.returncode,
        "NoActiveRun: trainvitals.log() needs a run: call trainvitals.init() first" in answer.stderr,
    ) == (1, True)


def test_metrics_without_an_optimizer_begin_a_step_when_they_come_again(offline: Any) -> None:
    run = offline.init()
    for value in (1.0, 2.0):
        run.log({"loss": value})
        run.log({"accuracy": value})
    run.log({"loss": torch.tensor(3.0, requires_grad=True)}, step=7)
    run.finish()
    assert offline.points("loss") == [(0, 1.0), (1, 2.0), (7, 3.0)]
    assert offline.points("accuracy") == [(0, 1.0), (1, 2.0)]
    assert offline.kinds[0] == "start"
    assert offline.kinds[-1] == "end"


def test_a_logged_tensor_may_be_changed_in_place_afterwards(offline: Any) -> None:
    run = offline.init()
    total = torch.tensor(1.0)
    run.log({"loss": total})
    total += 1
    run.finish()
    assert offline.points("loss") == [(0, 1.0)]


@pytest.mark.parametrize(
    "wrong",
    [{"x": torch.ones(2)}, {"x": "much"}, {"x": None}, {3: 1.0}, {"": 1.0}, {"\ud800": 1.0}, {"x": torch.ones(1) * 1j}],
)
def test_what_is_no_metric_is_left_out_and_said(
    offline: Any, wrong: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run = offline.init()
    run.log({"loss": 1.0, **wrong})
    run.finish()
    assert offline.points("loss") == [(0, 1.0)]
    assert "is left out" in capsys.readouterr().err


def test_a_name_per_step_is_left_out_in_time_and_said_once(offline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run = offline.init()
    for step in range(5000):
        run.log({"loss": 1.0, f"loss at {step}": 2.0}, step=step)
    run.finish()
    assert len(offline.points("loss")) == 5000
    assert offline.points("loss at 7") == [(7, 2.0)]
    assert offline.points("loss at 4999") == []
    assert capsys.readouterr().err.count("at most 4,096") == 1


@pytest.mark.parametrize("step", [-1, 1.5, 2**60, "3"])
def test_what_is_no_step_is_left_out_and_said(offline: Any, step: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run = offline.init()
    run.log({"loss": 1.0}, step=step)
    run.log({"loss": 2.0}, step=np.int64(7))
    run.finish()
    assert offline.points("loss") == [(7, 2.0)]
    assert "left values out" in capsys.readouterr().err


def config_of(offline: Any, config: Any) -> dict[str, Any]:
    trainvitals.init(mode="offline", directory=offline.directory, config=config).finish()
    (start,) = [record for record in records(offline.directory) if record.kind == "start"]
    return coding.decode(start.payload, RunStart).config


def test_settings_are_kept_whatever_they_are_made_of(offline: Any) -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    odd = {"lr": np.float64(0.1), "seed": 2**70, "text": "\ud800", "endless": endless, "deep": {1: [np.int64(3)]}}
    kept = config_of(offline, odd)
    assert (kept["lr"], kept["seed"], kept["deep"]) == (0.1, str(2**70), {"1": [3]})


def test_settings_may_be_a_namespace(offline: Any) -> None:
    assert config_of(offline, argparse.Namespace(lr=0.5)) == {"lr": 0.5}


def test_a_full_outbox_drops_the_oldest_and_counts_them() -> None:
    outbox = Outbox(max_points=2)
    for step in range(3):
        outbox.put_points(step, {"loss": 0.0})
    assert outbox.drops.total() == 1
    assert [point.step for point in outbox.take(seconds=0).points] == [1, 2]


def test_run_ids_sort_by_time() -> None:
    earlier, later = new_run_id(now=1.8e9), new_run_id(now=1.8e9 + 0.001)
    assert earlier < later
    assert len(earlier) == 14


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"trainvitals {trainvitals.__version__}"
