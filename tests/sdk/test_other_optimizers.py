"""Optimizers that come after ``watch``, and models that are named one by one: no value that is logged is lost."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from tests.sdk.small_models import mlp
from trainvitals.wire import coding
from trainvitals.wire.messages import ModelInfo

STEPS = 30


class Around(Optimizer):
    """Steps by another optimizer, whose parameters it shares, as sharpness-aware minimisation does."""

    def __init__(self, base: Optimizer) -> None:
        super().__init__([one for group in base.param_groups for one in group["params"]], {})
        self.base = base

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.base.step()


def train(run: Any, model: nn.Module, step: Callable[[], object], *, since: int = 0) -> None:
    for number in range(since, since + STEPS):
        loss: Tensor = model(torch.randn(5, 4)).square().mean()
        model.zero_grad()
        loss.backward()
        step()
        run.log({"number": number})


def numbers(offline: Any) -> dict[int, float]:
    return dict(offline.points("number"))


def models(offline: Any) -> list[ModelInfo]:
    return [coding.decode(record.payload, ModelInfo) for record in offline.records if record.kind == "model"]


@pytest.mark.parametrize("logs_first", [True, False])
def test_an_optimizer_that_takes_the_place_of_the_watched_one_is_watched(offline: Any, logs_first: bool) -> None:
    model = mlp()
    first, second = Adam(model.parameters(), lr=0.01), SGD(model.parameters(), lr=0.5)
    run = offline.init()
    run.watch(model, first, every=1)
    train(run, model, first.step)
    for number in range(STEPS, 2 * STEPS):
        loss = model(torch.randn(5, 4)).square().mean()
        if logs_first:
            run.log({"number": number})
        second.zero_grad()
        loss.backward()
        second.step()
        if not logs_first:
            run.log({"number": number})
    run.finish()

    assert numbers(offline) == {step: step for step in range(2 * STEPS)}
    rates = dict(offline.points("lr"))
    assert (rates[STEPS - 1], rates[STEPS + 1]) == pytest.approx(
        (0.01, 0.5)
    )  # the first step of the second shows that it is one
    assert offline.stats(2 * STEPS - 1)["update_ratio"]["0"] > 0


def test_an_optimizer_of_parameters_that_the_watched_one_has_not_is_watched_beside_it(offline: Any) -> None:
    model = mlp()
    body, head = SGD(model[0].parameters(), lr=0.1), SGD(model[2].parameters(), lr=0.2)
    run = offline.init()
    run.watch(model, body, every=1)
    train(run, model, lambda: (body.step(), head.step()))
    run.finish()

    assert numbers(offline) == {step: step for step in range(STEPS)}
    assert dict(offline.points("lr/1"))[STEPS - 1] == pytest.approx(0.2)


def test_the_wrong_optimizer_gives_way_to_the_one_that_steps(offline: Any) -> None:
    model = mlp()
    wrong, right = SGD(nn.Linear(2, 2).parameters(), lr=0.1), SGD(model.parameters(), lr=0.2)
    run = offline.init()
    run.watch(model, wrong, every=1)
    train(run, model, right.step)
    run.finish()

    assert numbers(offline) == {step: step for step in range(STEPS)}
    assert dict(offline.points("lr"))[STEPS - 1] == pytest.approx(0.2)


def test_an_optimizer_that_wraps_the_watched_one_changes_nothing(offline: Any) -> None:
    model = mlp()
    base = SGD(model.parameters(), lr=0.1)
    around = Around(base)
    run = offline.init()
    run.watch(model, base, every=1)
    train(run, model, around.step)
    run.finish()

    assert numbers(offline) == {step: step for step in range(STEPS)}
    assert len(models(offline)) == 1


def test_optimizers_that_take_turns_are_not_followed_back_and_forth(offline: Any) -> None:
    model = mlp()
    one, other = SGD(model.parameters(), lr=0.1), SGD(model.parameters(), lr=0.2)
    run = offline.init()
    run.watch(model, one, every=1)
    for _ in range(STEPS):
        for optimizer in (one, other):
            optimizer.zero_grad()
            model(torch.randn(5, 4)).square().mean().backward()
            optimizer.step()
    run.finish()

    assert len(models(offline)) <= 2


def test_the_optimizer_of_another_model_is_left_alone(offline: Any) -> None:
    model, other = mlp(), mlp()
    watched, unwatched = SGD(model.parameters(), lr=0.1), SGD(other.parameters(), lr=0.2)
    run = offline.init()
    run.watch(model, watched, every=1)
    train(run, model, lambda: (other(torch.randn(5, 4)).sum().backward(), unwatched.step(), watched.step()))
    run.finish()

    assert numbers(offline) == {step: step for step in range(STEPS)}
    assert len(models(offline)) == 1


def test_of_a_training_of_which_nothing_is_watched_log_counts_the_steps_in_the_end(
    offline: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    model, other = mlp(), mlp()
    run = offline.init()
    run.watch(model, SGD(model.parameters(), lr=0.1))
    optimizer = SGD(other.parameters(), lr=0.1)
    for since in range(0, 4 * STEPS, STEPS):
        train(run, other, optimizer.step, since=since)
    run.finish()

    assert len(numbers(offline)) == 4 * STEPS
    assert "another model trained" in capsys.readouterr().err


def test_models_that_are_named_one_by_one_are_all_watched(offline: Any) -> None:
    generator, critic = mlp(), nn.Linear(4, 1)
    of_generator, of_critic = SGD(generator.parameters(), lr=0.1), SGD(critic.parameters(), lr=0.2)
    run = offline.init()
    run.watch(generator, of_generator, every=1)
    run.watch(critic, of_critic, every=1)
    for number in range(STEPS):
        for model, optimizer in ((critic, of_critic), (generator, of_generator)):
            optimizer.zero_grad()
            model(torch.randn(5, 4)).square().mean().backward()
            optimizer.step()
        run.log({"number": number})
    run.finish()

    ratios = offline.stats(STEPS - 2)["update_ratio"]
    assert list(ratios) == ["Sequential.0", "Sequential.1", "Sequential.2", "Linear"]
    assert all(ratio > 0 for name, ratio in ratios.items() if name != "Sequential.1")
    assert numbers(offline) == {step: step for step in range(STEPS)}


def test_a_model_that_is_named_after_another_was_trained_is_watched_in_its_place(offline: Any) -> None:
    first, second = mlp(), nn.Linear(4, 1)
    run = offline.init()
    for since, model in ((0, first), (STEPS, second)):
        optimizer = SGD(model.parameters(), lr=0.1)
        run.watch(model, optimizer, every=1)
        train(run, model, optimizer.step, since=since)
    run.finish()

    assert numbers(offline) == {step: step for step in range(2 * STEPS)}
    assert [len(found.layers) for found in models(offline)] == [3, 1]


def test_layers_that_are_thawed_are_described_anew_with_the_step(offline: Any) -> None:
    model = mlp()
    model[0].requires_grad_(False)
    run = offline.init()
    head = SGD(model[2].parameters(), lr=0.1)
    run.watch(model, head, every=1)
    train(run, model, head.step)
    model[0].requires_grad_(True)
    whole = SGD(model.parameters(), lr=0.01)
    run.watch(model, whole, every=1)
    train(run, model, whole.step, since=STEPS)
    run.watch(model, whole, every=2)
    run.finish()

    assert [found.since_step for found in models(offline)] == [0, STEPS, STEPS]


def test_an_optimizer_that_is_let_go_is_not_held(offline: Any) -> None:
    model = mlp()
    first = SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, first, every=1)
    train(run, model, first.step)
    gone = weakref.ref(first)
    second = SGD(model.parameters(), lr=0.1)
    del first
    train(run, model, second.step, since=STEPS)

    gc.collect()  # PyTorch has it in cycles of its own
    assert gone() is None
    run.finish()


@pytest.mark.filterwarnings("ignore:This process")  # newer Pythons warn of forks beside threads
def test_an_optimizer_of_a_forked_child_is_not_followed(offline: Any, capfd: pytest.CaptureFixture[str]) -> None:
    model = mlp()
    watched = SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, watched, every=1)
    train(run, model, watched.step)
    child = os.fork()
    if child == 0:
        other = SGD(model.parameters(), lr=0.2)
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        other.step()
        other.step()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    run.finish()

    assert status == 0
    assert "trained, and watched" not in capfd.readouterr().err
    assert len(models(offline)) == 1
