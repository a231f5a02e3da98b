"""Rates far beyond those that are usual, and what they leave behind: said where the training suffers, and as long."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trainvitals.wire.messages import LayerInfo, OptimizerInfo, ParameterGroup
from trainvitals_server.diagnosis.catalogue import rules
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window

STEPS = 600
AT = np.arange(STEPS, dtype=np.int64)
SNAPSHOTS = np.arange(0, STEPS, 20, dtype=np.int64)
CHANCE = math.log(10)
CLASSES = {"facts/loss_function": [0], "facts/classes": [10], "facts/chance": [CHANCE], "facts/loss_calls": [1]}


def series(values: Any) -> Series:
    found = np.asarray(values, np.float32)
    return Series(steps=AT if len(found) == STEPS else SNAPSHOTS[: len(found)], values=found)


def noisy(values: Any) -> Any:
    return values + 0.02 * np.random.default_rng(0).standard_normal(STEPS)


def columns(values: Any) -> Any:
    """[snapshots, 2]; a stat of the rectifier alone has no values of the layer."""
    found = np.asarray(values, np.float32)
    return found if found.ndim == 2 else np.stack([found, np.full_like(found, np.nan)], axis=1)


def run(loss: Any, *, lr: float, kind: str = "Adam", zeros: Any = None, updates: float | None = None) -> Window:
    """A classifier of ten classes with one rectifier, trained at one rate."""
    act = LayerInfo(name="act", kind="ReLU", parameters=0, trainable=0)
    head = LayerInfo(name="head", kind="Linear", parameters=90, trainable=90, settings={"out_features": 10.0})
    stats = {"zero_fraction": zeros, "update_ratio": None if updates is None else np.full((len(SNAPSHOTS), 2), updates)}
    metrics = {"loss": loss, "lr": np.full(len(SNAPSHOTS), lr), **CLASSES}
    return Window(
        run_id="r",
        step=STEPS - 1,
        layers=("act", "head"),
        steps=SNAPSHOTS,
        stats={name: columns(values) for name, values in stats.items() if values is not None},
        metrics={name: series(values) for name, values in metrics.items()},
        info={"act": act, "head": head},
        optimizers=(OptimizerInfo(kind=kind, groups=[ParameterGroup(settings={"lr": lr})]),),
    )


def said(rule: str, seen: Window) -> list[Symptom]:
    return list(rules()[rule](seen))


TURNED = noisy(np.where(AT < 150, 2.3 - AT / 100, 1.8))
NOTHING = noisy(np.where(AT < 20, 3.0, CHANCE))
HALF = noisy(np.where(AT < 100, 2.3 - AT / 100, 1.4))
LEARNS = noisy(2.3 * np.exp(-AT / 100))


@pytest.mark.parametrize(
    ("loss", "words"), [(TURNED, "had come to"), (NOTHING, "and falls no more"), (HALF, "and falls no more")]
)
def test_a_constant_rate_far_beyond_the_usual_is_named_where_the_loss_suffers(loss: Any, words: str) -> None:
    (symptom,) = said("learning_rate_too_high", run(loss, lr=0.1))

    assert "0.1, 33 times the highest that is usual for Adam" in symptom.summary
    assert words in symptom.summary
    assert "Let the rate peak at 0.003" in symptom.advice[0]


@pytest.mark.parametrize(
    "healthy",
    [run(LEARNS, lr=0.1), run(TURNED, lr=0.02), run(NOTHING, lr=1.0, kind="SGD"), run(TURNED, lr=0.1, kind="Prodigy")],
    ids=["it learns", "not so far", "usual for another optimizer", "an optimizer of which nothing is known"],
)
def test_no_other_constant_rate_is_called_too_high(healthy: Window) -> None:
    assert said("learning_rate_too_high", healthy) == []


def test_a_rate_that_is_told_was_a_rate_of_the_run() -> None:
    rate = np.where(np.arange(len(SNAPSHOTS)) < 10, 1e-3, 3e-3)
    loss = noisy(np.where(AT < 195, 2.3 - AT / 100, 1.5))  # best between two records of the rate
    seen = run(loss, lr=1e-3)
    seen.metrics["lr"] = series(rate)

    (symptom,) = said("learning_rate_too_high", seen)

    assert symptom.summary.startswith("With a learning rate of 0.001 the loss had come to")


DIED = np.where(np.arange(len(SNAPSHOTS)) < 10, 0.5, 1.0)


@pytest.mark.parametrize(("since", "is_told"), [(0.992, True), (0.9, False)])
def test_what_died_is_dead_until_it_lets_something_through(since: float, is_told: bool) -> None:
    zeros = np.where(np.arange(len(SNAPSHOTS)) < 20, DIED, since)

    assert bool(said("dead_activations", run(LEARNS, lr=1e-3, zeros=zeros))) is is_told


def test_what_never_was_shut_on_end_is_not_dead() -> None:
    zeros = np.where(np.arange(len(SNAPSHOTS)) % 4 == 0, 0.99, 1.0)

    assert said("dead_activations", run(LEARNS, lr=1e-3, zeros=zeros)) == []


CRAWLS = 2.31 - 0.02 * AT / STEPS + 0.002 * np.random.default_rng(0).standard_normal(STEPS)


@pytest.mark.parametrize(
    ("planned", "severity"),
    [(None, "warning"), (100 * STEPS, "info"), (2 * STEPS, "warning")],
    ids=["no plan", "a plan long enough", "a plan too short"],
)
def test_a_rate_that_leads_nowhere_is_a_warning(planned: int | None, severity: str) -> None:
    seen = replace(run(CRAWLS, lr=1e-6, updates=3e-5), planned_steps=planned)

    (symptom,) = said("learning_rate_too_low", seen)

    assert symptom.severity == severity
