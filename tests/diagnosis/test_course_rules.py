"""Rules that read the course of losses, validations and schedules: each speaks on its ill and on none of its traps."""

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

STEPS = 1000
CHANCE = math.log(10)
RULES = ("loss_plateau", "loss_oscillating", "validation_degenerate", "schedule_not_started", "schedule_overrun")
CLASSES = {"facts/loss_function": [0], "facts/classes": [10], "facts/chance": [CHANCE], "facts/loss_calls": [1]}
REGRESSION = {"facts/loss_function": [4], "facts/target_std": [1.0]}


def noise(size: float = 0.02, points: int = STEPS) -> Any:
    return size * np.random.default_rng(0).standard_normal(points)


def resting(start: float, level: float, *, falls_in: int = 50, size: float = 0.02) -> Any:
    return level + (start - level) * np.exp(-np.arange(STEPS) / falls_in) + noise(size)


def swinging(height: float, *, level: float = 1.0, period: int = 60) -> Any:
    return level + height / 2 * np.sin(2 * np.pi * np.arange(STEPS) / period) + noise()


def series(values: Any) -> Series:
    """Points at all steps, or spread evenly over them."""
    found = np.asarray(values, np.float32)
    return Series(steps=np.linspace(0, STEPS - 1, len(found)).astype(np.int64), values=found)


def window(
    loss: Any, *, planned: Any = None, groups: Any = ({"lr": 0.1},), optimizers: Any = 1, **metrics: Any
) -> Window:
    """A run of a thousand steps; metrics at all of them, or at fewer, spread evenly."""
    head = LayerInfo(name="head", kind="Linear", parameters=90, trainable=90, settings={"out_features": 10.0})
    found = OptimizerInfo(kind="SGD", groups=[ParameterGroup(settings=dict(group)) for group in groups])
    return Window(
        run_id="r",
        step=STEPS - 1,
        layers=("head",),
        info={"head": head},
        metrics={
            name: values if isinstance(values, Series) else series(values)
            for name, values in ({"loss": loss} | metrics).items()
        },
        optimizers=(found,) * optimizers,
        planned_steps=planned,
    )


def said(rule: str, seen: Window) -> list[Symptom]:
    return list(rules()[rule](seen))


FALLING = resting(2.3, 0.05, falls_in=300)
FALLEN = np.where(np.arange(STEPS) < 30, 2.5, swinging(0.5))
EVALUATIONS = 20
SAME = np.full(EVALUATIONS, 2.345)
NEVER = np.full(EVALUATIONS, np.nan)
AT_A_TENTH = np.full(EVALUATIONS, 0.1)
WAITING = ({"lr": 0.0, "initial_lr": 0.1},)
PLANNED = ({"lr": 0.1, "initial_lr": 0.1},)
RISING = np.linspace(0, 1e-4, 80)
EARLY_AND_SELDOM = np.array([*range(10), *range(24, STEPS, 24)])  # steps at which a rate is recorded


def cosine(length: float, *, warm_up: int = 0, lowest: float = 0.0, at: Any = EARLY_AND_SELDOM) -> Series:
    """CosineAnnealingLR with that T_max, behind a linear warm-up, however long it is stepped."""
    steps = np.asarray(at, np.float64)
    fall = lowest + (1 - lowest) * (1 + np.cos(np.pi * (steps - warm_up) / length)) / 2
    share = np.where(steps < warm_up, (steps + 1) / max(1, warm_up), fall)
    return Series(steps=np.asarray(at, np.int64), values=(0.1 * share).astype(np.float32))


ILLS: dict[str, tuple[str, str, Window]] = {
    "a loss that rests at chance": ("loss_plateau", "warning", window(resting(2.8, CHANCE), **CLASSES)),
    "a regression that rests at the variance": (
        "loss_plateau", "warning", window(resting(1.4, 1.0), **REGRESSION),
    ),
    "a loss that rests half-way": ("loss_plateau", "info", window(resting(2.3, 1.1), **CLASSES)),
    "a loss that swings": ("loss_oscillating", "warning", window(swinging(1.2))),
    "a loss that swings a little": ("loss_oscillating", "info", window(FALLEN)),
    "a validation loss that stays": ("validation_degenerate", "warning", window(FALLING, val_loss=SAME)),
    "a validation loss that is none": ("validation_degenerate", "warning", window(FALLING, **{"eval/loss": NEVER})),
    "a sum over nothing": ("validation_degenerate", "warning", window(FALLING, **{"test/mse": 0 * SAME})),
    "an accuracy that stays at chance": ("validation_degenerate", "warning", window(FALLING, val_acc=AT_A_TENTH)),
    "and in per cent": ("validation_degenerate", "warning", window(FALLING, **{"eval/accuracy": 100 * AT_A_TENTH})),
    "a rate that stays at zero": (
        "schedule_not_started", "warning", window(resting(2.3, 2.3), lr=np.zeros(80), groups=WAITING),
    ),
    "a rate that stays at a thousandth": (
        "schedule_not_started", "warning", window(FALLING, lr=np.full(80, 1e-4), groups=PLANNED),
    ),
    "a cosine of forty epochs, stepped once a batch": (
        "schedule_overrun", "warning", window(FALLING, lr=cosine(40)),
    ),
    "and of ten": ("schedule_overrun", "warning", window(FALLING, lr=cosine(10))),
    "a cosine for two thirds of the run": ("schedule_overrun", "warning", window(FALLING, lr=cosine(650))),
    "and behind a warm-up, over a rate that it keeps": (
        "schedule_overrun", "warning", window(FALLING, lr=cosine(400, warm_up=100, lowest=0.02)),
    ),
    "a warm-up longer than the plan": (
        "schedule_not_started", "warning", window(FALLING, lr=RISING, groups=PLANNED, planned=20_000),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ILLS)
def test_a_rule_speaks_on_its_ill(name: str) -> None:
    rule, severity, sick = ILLS[name]
    (symptom,) = said(rule, sick)

    assert (symptom.rule, symptom.severity) == (rule, severity)
    assert symptom.causes
    assert symptom.advice


HEALTHY = {
    "falling": window(FALLING, lr=np.full(80, 0.1), val_loss=np.linspace(2.3, 0.2, EVALUATIONS), groups=PLANNED),
    "just begun": Window(run_id="r", step=0),
    "without a rate": window(FALLING),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", HEALTHY)
def test_a_rule_is_silent_on_a_healthy_run(rule: str, name: str) -> None:
    assert said(rule, HEALTHY[name]) == []


AT_CHANCE = resting(2.8, CHANCE)
TWO_GROUPS = (*PLANNED, {"lr": 0.0, "initial_lr": 0.1})
PHASE = EARLY_AND_SELDOM % 200 / 200
TRAPS: dict[str, tuple[str, Window]] = {
    "a cosine that ends with the run": ("schedule_overrun", window(FALLING, lr=cosine(STEPS))),
    "a cosine that turned just now": ("schedule_overrun", window(FALLING, lr=cosine(900))),
    "cosines that restart": (
        "schedule_overrun",
        window(FALLING, lr=Series(steps=EARLY_AND_SELDOM, values=np.float32(1 + np.cos(np.pi * PHASE)))),
    ),
    "triangles": (
        "schedule_overrun",
        window(FALLING, lr=Series(steps=EARLY_AND_SELDOM, values=np.float32(np.abs(2 * PHASE - 1)))),
    ),
    "a rate that swings high above zero": ("schedule_overrun", window(FALLING, lr=cosine(40, lowest=0.5))),
    "a loss that never left its start, which another rule tells of": (
        "loss_plateau", window(resting(2.31, 2.3), **CLASSES),
    ),
    "a loss that rests near zero": ("loss_plateau", window(resting(2.3, 0.05), **CLASSES)),
    "smoothed labels, of which all are known": (
        "loss_plateau", window(resting(2.3, 1.0), **CLASSES, **{"facts/accuracy": [0.98] * 5}),
    ),
    "a plateau before a drop": (
        "loss_plateau", window(np.where(np.arange(STEPS) < 800, AT_CHANCE, 1.0), **CLASSES),
    ),
    "a slow fall": ("loss_plateau", window(np.linspace(2.6, 2.1, STEPS) + noise(), **CLASSES)),
    "batches too noisy to tell": ("loss_plateau", window(resting(4.0, CHANCE, size=1.0), **CLASSES)),
    "the tail of a schedule": (
        "loss_plateau", window(AT_CHANCE, lr=1 + np.cos(np.linspace(0, np.pi, 80)), **CLASSES),
    ),
    "a warm-up": ("loss_plateau", window(AT_CHANCE, lr=np.linspace(0, 0.1, 80), **CLASSES)),
    "a loss above its best": (
        "loss_plateau", window(np.where(np.arange(STEPS) < 500, resting(2.8, 1.5), CHANCE) + noise(), **CLASSES),
    ),
    "a game of two networks": ("loss_plateau", window(resting(1.4, 1.2), optimizers=2)),
    "a policy's loss": ("loss_plateau", window(noise(0.5))),
    "batches of one row": ("loss_oscillating", window(swinging(1.2), **{"facts/rows": [1]})),
    "restarts": ("loss_oscillating", window(swinging(1.2), lr=1.1 + np.sin(np.linspace(0, 100, 500)))),
    "batches of one class each": (
        "loss_oscillating", window(swinging(1.2), **CLASSES, **{"facts/label_majority": [1.0] * 9}),
    ),
    "two networks that hover": ("loss_oscillating", window(swinging(1.2), optimizers=2)),
    "noise of batches": ("loss_oscillating", window(1.0 + np.abs(noise(0.5)))),
    "swings on the way down": ("loss_oscillating", window(swinging(0.6) * np.exp(-np.arange(STEPS) / 300))),
    "a few spikes": ("loss_oscillating", window(np.where(np.arange(STEPS) % 90 < 3, 3.0, 1.0) + noise())),
    "a last result that is logged again": ("validation_degenerate", window(FALLING, val_loss=np.full(STEPS, 2.3))),
    "an accuracy of few examples": ("validation_degenerate", window(FALLING, val_accuracy=np.full(EVALUATIONS, 0.97))),
    "an exact match that waits": ("validation_degenerate", window(FALLING, val_f1=0 * AT_A_TENTH)),
    "an accuracy of a while": ("validation_degenerate", window(FALLING, val_acc=AT_A_TENTH[:7])),
    "an accuracy while little is learnt": ("validation_degenerate", window(resting(2.3, 2.0), val_acc=AT_A_TENTH)),
    "a setting of the validation": ("validation_degenerate", window(FALLING, **{"val/threshold": SAME})),
    "all is learnt": ("validation_degenerate", window(np.zeros(STEPS), val_loss=SAME)),
    "nothing moves": ("validation_degenerate", window(resting(2.3, 2.3), val_loss=SAME)),
    "the training is NaN as well": ("validation_degenerate", window(np.full(STEPS, np.nan), val_loss=NEVER)),
    "three evaluations": ("validation_degenerate", window(FALLING, val_loss=SAME[:3])),
    "a rate of zero without a schedule": (
        "schedule_not_started", window(AT_CHANCE, lr=np.zeros(80), groups=({"lr": 0.0},)),
    ),
    "a long warm-up": ("schedule_not_started", window(FALLING, lr=RISING, groups=PLANNED)),
    "a group that waits while another learns": (
        "schedule_not_started", window(FALLING, groups=TWO_GROUPS, lr=np.full(80, 0.1), **{"lr/1": np.zeros(80)}),
    ),
    "a rate that has run out": (
        "schedule_not_started", window(FALLING, lr=np.geomspace(0.1, 1e-5, 80), groups=PLANNED),
    ),
    "the first steps of a long plan": (
        "schedule_not_started", window(FALLING, lr=np.zeros(80), groups=WAITING, planned=1_000_000),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAPS)
def test_a_rule_does_not_cry_wolf(name: str) -> None:
    rule, healthy = TRAPS[name]

    assert said(rule, healthy) == []


def test_a_slow_fall_under_the_noise_is_no_rest() -> None:
    learnt_by_heart = np.linspace(2.31, 2.15, STEPS) + noise(0.03)

    assert said("loss_plateau", window(learnt_by_heart, **CLASSES)) == []


@pytest.mark.parametrize(
    ("level", "words"),
    [(2.16, "little better than the 2.303 of"), (2.29, "no better than the 2.303 of"), (2.37, "no better than")],
)
def test_how_near_a_rest_is_to_knowing_nothing_is_told(level: float, words: str) -> None:
    (symptom,) = said("loss_plateau", window(resting(2.8, level), **CLASSES))

    assert words in symptom.summary
    assert symptom.severity == "warning"


def test_a_run_that_is_taken_up_at_its_schedules_end_is_not_waiting() -> None:
    taken_up = window(FALLING, lr=np.full(80, 1e-4), groups=PLANNED)
    late = Series(steps=taken_up.metrics["lr"].steps + 5000, values=taken_up.metrics["lr"].values)
    metrics = dict(taken_up.metrics) | {"lr": late}

    assert said("schedule_not_started", replace(taken_up, metrics=metrics, step=6000)) == []


@pytest.mark.parametrize(("optimizers", "severity"), [(1, "warning"), (2, "info")])
def test_a_loss_that_hovers_in_what_may_be_a_game_is_worth_knowing_at_most(optimizers: int, severity: str) -> None:
    (symptom,) = said("loss_not_decreasing", window(resting(1.38, 1.37), optimizers=optimizers))

    assert symptom.severity == severity


@pytest.mark.parametrize("height", [3.0, 30.0, 3000.0])
def test_a_jump_is_a_spike_however_slowly_the_last_of_it_goes(height: float) -> None:
    loss = resting(2.3, 0.05)
    loss[900] += height
    loss[901:941] += 0.05 * height * np.exp(-np.arange(40) / 15)

    (symptom,) = said("loss_spike", window(loss))

    assert symptom.first_step == 900


@pytest.mark.parametrize("overshoot", [0.0, 10.0, 18.0])
def test_a_new_level_is_no_spike(overshoot: float) -> None:
    loss = resting(2.3, 0.05)
    loss[900:] += 1.0
    loss[900] += overshoot

    assert said("loss_spike", window(loss)) == []
