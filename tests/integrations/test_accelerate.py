"""A real Accelerator with log_with="trainvitals": what reaches the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.state import AcceleratorState
from torch import nn

import trainvitals as tv
from tests.integrations.conftest import Kept, run_in_two, run_script
from tests.real_server import RealServer
from trainvitals.integrations.accelerate import TrainVitalsTracker, init_trackers

pytestmark = pytest.mark.slow
STEPS = 5
ACCUMULATED = 2


@pytest.fixture(autouse=True)
def fresh_accelerate() -> Iterator[None]:
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def begun(watch: bool = True, **init: Any) -> Accelerator:
    accelerator = Accelerator(cpu=True, log_with="trainvitals", gradient_accumulation_steps=ACCUMULATED)
    settings = {"lr": 0.1, "width": 8}
    accelerator.init_trackers("numbers", settings, init_kwargs={"trainvitals": {"watch": watch, **init}})
    return accelerator


def train(accelerator: Accelerator, *, name: bool = False) -> list[float]:
    """Five steps of two micro-batches each; ``name``: say what is trained rather than let it be learnt."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    model, optimizer = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), lr=0.1))
    if name:
        accelerator.get_tracker("trainvitals").watch(model, optimizer)
    losses = []
    for _ in range(STEPS * ACCUMULATED):
        with accelerator.accumulate(model):
            loss = model(torch.randn(8, 4)).square().mean()
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
        if accelerator.sync_gradients:
            accelerator.log({"train/loss": loss})
            losses.append(loss.item())
    return losses


def test_it_is_found_by_its_name_and_watches_what_it_was_not_told_of(kept: Kept) -> None:
    accelerator = begun(name="first")
    losses = train(accelerator)
    accelerator.end_training()
    assert (kept.start.project, kept.start.name) == ("numbers", "first")
    assert kept.notes == {"lr": 0.1, "width": 8}
    assert kept.points("train/loss") == [(step, pytest.approx(loss)) for step, loss in enumerate(losses)]
    assert kept.sampled == list(range(STEPS))
    assert kept.layers == ["0", "1", "2"]
    assert kept.stats(1)["update_ratio"]["0"] > 0
    assert kept.end.status == "finished"


def test_a_model_that_is_named_is_watched_from_its_first_step(kept: Kept) -> None:
    accelerator = begun()
    train(accelerator, name=True)
    accelerator.end_training()
    assert kept.sampled == list(range(STEPS))
    assert kept.stats(0)["activation_std"]["0"] > 0


def test_a_training_is_bit_by_bit_what_it_was() -> None:
    bare = train(Accelerator(cpu=True, gradient_accumulation_steps=ACCUMULATED))
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = begun()
    assert train(accelerator) == bare
    accelerator.end_training()


def test_the_tracker_s_tracker_is_the_run() -> None:
    accelerator = begun()
    assert accelerator.get_tracker("trainvitals", unwrap=True) is tv.run
    accelerator.end_training()
    assert accelerator.get_tracker("trainvitals", unwrap=True) is None


def test_a_run_that_is_there_is_used_and_goes_on(kept: Kept) -> None:
    with tv.init(project="mine") as run:
        accelerator = begun()
        train(accelerator, name=True)
        accelerator.end_training()
        assert run.active
    assert kept.start.project == "mine"
    assert kept.steps("train/loss") == list(range(STEPS))


def test_steps_that_a_gradient_scaler_skips_are_none(kept: Kept) -> None:
    accelerator = begun()
    model, scaler = nn.Linear(4, 1), torch.amp.GradScaler("cpu", init_scale=4.0)
    optimizer = AcceleratedOptimizer(torch.optim.SGD(model.parameters(), lr=0.1), scaler=scaler)
    accelerator.get_tracker("trainvitals").watch(model, optimizer)
    for factor in (1.0, float("inf"), 1.0):
        loss = model(torch.ones(2, 4)).square().mean()
        scaler.scale(loss * factor).backward()
        gradient = model.weight.grad.norm().item() / scaler.get_scale()
        optimizer.step()
        optimizer.zero_grad()
    accelerator.end_training()
    assert kept.steps("grad_norm") == [0, 1]
    assert kept.stats(1)["grad_norm"]["Linear"] >= gradient > 0


def test_it_may_be_left_to_log_alone(kept: Kept) -> None:
    accelerator = begun(watch=False)
    train(accelerator)
    accelerator.end_training()
    assert kept.steps("train/loss") == list(range(STEPS))
    assert kept.sampled == []


def test_an_error_that_ends_the_script_is_the_run_s(kept: Kept) -> None:
    done = run_script("from tests.integrations.test_accelerate import *; train(begun()); 1 / 0")
    assert "ZeroDivisionError" in done.stderr
    assert (kept.end.status, kept.end.error) == ("failed", "ZeroDivisionError: division by zero")


def test_of_several_processes_the_first_one_logs(kept: Kept) -> None:
    run_in_two("from tests.integrations.test_accelerate import *; a = begun(); train(a); a.end_training()")
    assert kept.steps("train/loss") == kept.sampled == list(range(STEPS))
    assert kept.layers == ["0", "1", "2"]


def begun_everywhere() -> Accelerator:
    accelerator = Accelerator(cpu=True, log_with="trainvitals", gradient_accumulation_steps=ACCUMULATED)
    init_trackers(accelerator, "numbers", {"lr": 0.1}, {"trainvitals": {"name": "all"}})
    return accelerator


@pytest.mark.parametrize("how", ["learnt", "named"])
def test_processes_whose_trackers_begin_together_are_one_run(how: str, several: Callable[[], list[Kept]]) -> None:
    run_in_two(
        "from tests.integrations.test_accelerate import *\n"
        f"a = begun_everywhere(); train(a, name={how == 'named'}); a.end_training()"
    )
    first, second = sorted(several(), key=lambda kept: kept.start.rank)
    assert [(kept.start.rank, kept.start.name, kept.end.status) for kept in (first, second)] == [
        (0, "all", "finished"),
        (1, "all", "finished"),
    ]
    assert first.frames[0].run_id == second.frames[0].run_id
    assert first.sampled == first.steps("train/loss") == second.steps("grad_norm") == list(range(STEPS))
    assert second.sampled == second.steps("train/loss") == []
    assert second.points("seconds/forward")
    assert [norm for _, norm in second.points("grad_norm")] == pytest.approx(
        [norm for _, norm in first.points("grad_norm")], rel=1e-4
    )


def test_what_is_misspelt_is_refused() -> None:
    with pytest.raises(TypeError, match="'nam'"):
        TrainVitalsTracker("numbers", nam="x")


def test_a_whole_training_reaches_a_real_server(server: RealServer) -> None:
    accelerator = begun(mode="online", server_url=server.url)
    losses = train(accelerator)
    accelerator.end_training()
    run = server.only_run
    assert run.summary.status == "finished"
    assert run.config["width"] == 8
    assert [value for _, value in server.points(run.summary.run_id, "train/loss")] == pytest.approx(losses)
