"""Preflight does not cry wolf, touches nothing, and keeps to its time."""

from __future__ import annotations

import copy
import functools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import trainvitals as tv
from tests.sdk.healthy_cases import HEALTHY, classifier, convolutional
from tests.sdk.odd_cases import ODD
from trainvitals.preflight.running import run_preflight
from trainvitals.wire.coding import JSON, decode, encode
from trainvitals.wire.preflight import PreflightCheck, PreflightReport

pytestmark = pytest.mark.usefixtures("one_thread")

CASES = HEALTHY | ODD


@functools.cache
def report_of(name: str) -> PreflightReport:
    return run_preflight(**CASES[name](), seconds=30)


@pytest.mark.parametrize("name", CASES)
def test_nothing_fails_in_a_healthy_training(name: str) -> None:
    report = report_of(name)

    assert {check.name: check.summary for check in report.failed} == {}
    assert report.passed


@pytest.mark.parametrize("name", ["contrastive", "variational", "diffusion"])
def test_what_is_unknown_says_how_to_find_out(name: str) -> None:
    report = report_of(name)
    without = [check.name for check in report.checks if check.status == "unknown" and not check.advice]

    assert [check for check in report.checks if check.status == "unknown"]
    assert without == []


@pytest.mark.parametrize("name", ["classifier", "regression", "convolutional", "lstm"])
def test_the_plain_and_healthy_pass_nearly_everything(name: str) -> None:
    report = report_of(name)

    assert [check.name for check in report.checks if check.status != "passed"] == []


def state_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[bytes]:
    tensors = [*model.parameters(), *model.buffers()]
    tensors += [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    state = [part for values in optimizer.state.values() for part in values.values() if isinstance(part, Tensor)]
    settings = str([{**group, "params": len(group["params"])} for group in optimizer.param_groups])
    modes = str([module.training for module in model.modules()])
    return [tensor.detach().numpy().tobytes() for tensor in (*tensors, *state)] + [settings.encode(), modes.encode()]


class Uncopyable(nn.Module):
    """It remembers its last answer, graph and all, which deepcopy refuses; and counts its calls."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.calls = model, 0
        self.last: Tensor | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += 1
        self.last = self.model(inputs)
        return self.last


@pytest.mark.parametrize("copyable", [True, False])
def test_model_optimizer_and_random_numbers_are_left_bit_by_bit(copyable: bool) -> None:
    arguments = convolutional()
    model, batch = arguments["model"], arguments["batch"]
    if not copyable:
        model = arguments["model"] = Uncopyable(model)
    optimizer = arguments["optimizer"]
    F.cross_entropy(model(batch[0]), batch[1]).backward()
    optimizer.step()
    before, inputs = state_of(model, optimizer), batch[0].clone()
    drawn = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tobytes()

    report = run_preflight(**arguments, seconds=30)

    assert state_of(model, optimizer) == before
    assert torch.equal(torch.get_rng_state(), drawn[0])
    assert (random.getstate(), np.random.get_state()[1].tobytes()) == drawn[1:]
    assert torch.equal(batch[0], inputs)
    assert report["overfit_one_batch"].status == "passed"
    if not copyable:
        assert model.calls == 1
        assert "cannot be copied" in str(report)


def test_a_training_after_a_preflight_is_the_one_without_it() -> None:
    def losses(*, preflight: bool) -> list[float]:
        arguments = convolutional()
        model, optimizer, (inputs, labels) = arguments["model"], arguments["optimizer"], arguments["batch"]
        if preflight:
            run_preflight(**arguments, seconds=30)
        found = []
        for _ in range(5):
            loss = F.cross_entropy(model(inputs + torch.randn_like(inputs)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        return found

    assert losses(preflight=True) == losses(preflight=False)


def test_a_loss_that_reaches_for_the_model_leaves_no_gradient_and_no_buffer_behind() -> None:
    arguments = convolutional()
    model, (inputs, _) = arguments["model"], arguments["batch"]
    before = copy.deepcopy(list(model.buffers()))

    def twice(output: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(output, labels) + F.mse_loss(model(inputs), output)

    run_preflight(**{**arguments, "loss_fn": twice}, seconds=30)

    assert [parameter.grad for parameter in model.parameters() if parameter.grad is not None] == []
    assert all(map(torch.equal, model.buffers(), before))


@pytest.mark.parametrize("copyable", [True, False])
def test_a_watched_model_records_nothing_of_its_preflight(offline: Any, *, copyable: bool) -> None:
    arguments = classifier()
    model, optimizer = arguments["model"], arguments["optimizer"]
    if not copyable:
        model = arguments["model"] = Uncopyable(model)
        model(arguments["batch"][0])
    run = offline.init()
    run.watch(model, optimizer)
    tv.preflight(**arguments, quiet=True)
    assert run.step == 0
    run.finish()

    assert offline.kinds == ["start", "model", "preflight", "end"]


def test_the_training_s_own_loss_is_the_first_whatever_preflight_computes(offline: Any) -> None:
    arguments = classifier()
    model, optimizer, (inputs, labels) = arguments["model"], arguments["optimizer"], arguments["batch"]
    run = offline.init()
    run.watch(model, optimizer)
    tv.preflight(**arguments, quiet=True)
    loss = F.cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()
    run.finish()

    assert offline.points("facts/loss") == [(0, pytest.approx(loss.item()))]
    assert offline.points("facts/loss_calls") == [(0, 1.0)]


def test_the_report_is_kept_with_the_run_that_goes_on(offline: Any) -> None:
    with offline.init():
        report = tv.preflight(**classifier(), quiet=True)

    (kept,) = [record for record in offline.records if record.kind == "preflight"]
    assert decode(kept.payload, PreflightReport).checks == list(report.checks)
    assert decode(
        encode(PreflightReport(checks=list(report.checks)), media_type=JSON), PreflightReport, media_type=JSON
    )


def checks_kept(offline: Any) -> list[list[PreflightCheck]]:
    reports = [record.payload for record in offline.records if record.kind == "preflight"]
    return [decode(report, PreflightReport).checks for report in reports]


def test_the_newest_report_from_before_a_run_is_kept_with_it(offline: Any) -> None:
    tv.preflight(**classifier(), quiet=True)
    newest = tv.preflight(**convolutional(), quiet=True)
    offline.init().finish()

    assert checks_kept(offline) == [list(newest.checks)]


def test_a_report_from_before_a_run_is_not_kept_with_the_one_after_it(offline: Any, tmp_path: Path) -> None:
    tv.preflight(**classifier(), quiet=True)
    tv.init(mode="offline", directory=tmp_path / "first").finish()
    offline.init().finish()

    assert checks_kept(offline) == []


def test_one_made_within_a_run_takes_the_place_of_that_before(offline: Any) -> None:
    tv.preflight(**classifier(), quiet=True)
    with offline.init():
        within = tv.preflight(**convolutional(), quiet=True)

    assert checks_kept(offline)[-1] == list(within.checks)


def test_the_checklist_is_printed_by_stage(capsys: pytest.CaptureFixture[str]) -> None:
    report = tv.preflight(**classifier())

    said = capsys.readouterr().err
    assert said == f"trainvitals: {report}\n"
    stages = [line.strip() for line in said.splitlines() if line.startswith("  ") and line[2] != " "]
    assert stages == ["start simple", "confirm the loss", "check the inside"]
    assert "✓ overfit one batch" in said


def test_a_run_has_it_too_and_prints_it_once(offline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with offline.init() as run:
        arguments = classifier()
        report = run.preflight(arguments["model"], arguments["loss_fn"], arguments["batch"])

    assert capsys.readouterr().err.count(f"trainvitals: {report}\n") == 1
    assert offline.kinds == ["start", "preflight", "end"]


def test_the_function_stays_the_function_when_its_package_was_used() -> None:
    tv.preflight(**classifier(), quiet=True)

    assert callable(tv.preflight)


def test_it_stops_when_its_time_is_over() -> None:
    ticks = iter(range(10**9))

    report = run_preflight(**classifier(), seconds=100, clock=lambda: float(next(ticks)))

    assert report.seconds < 110
    assert report.passed
    assert report["overfit_one_batch"].numbers["steps"] < 20


def test_without_time_everything_is_unknown_and_nothing_fails() -> None:
    ticks = iter(range(10**9))

    report = run_preflight(**classifier(), seconds=1, clock=lambda: float(next(ticks)))

    assert {check.status for check in report.checks} == {"unknown"}
    assert report["input_used"].advice == ["Give more of it: seconds=60."]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"model": "resnet"}, "torch.nn.Module"),
        ({"loss_fn": None}, "loss_fn is not callable"),
        ({"batch": torch.ones(3)}, "batch is no pair"),
        ({"num_classes": 1}, "at least two"),
        ({"seconds": 0}, "some time"),
        ({"forward": 3}, "forward is not callable"),
    ],
)
def test_arguments_that_make_no_sense_are_named(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        tv.preflight(**{**classifier(), **wrong})


def test_a_model_that_cannot_take_the_batch_is_told_by_the_first_check_that_asks_it() -> None:
    arguments = classifier(features=12)
    report = run_preflight(**{**arguments, "batch": (torch.randn(48, 7), arguments["batch"][1])}, seconds=10)

    assert report["initial_loss"].status == "unknown"
    assert sum("RuntimeError: mat1 and mat2" in check.summary for check in report.checks) == 1
    assert report["optimizer_parameters"].status != "failed"
    assert report.passed
