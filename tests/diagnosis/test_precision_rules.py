"""Rules of precision, Adam and attention speak on their ill, and not on its healthy twin, nor on what looks like it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainvitals.wire.messages import LayerInfo, OptimizerInfo, ParameterGroup
from trainvitals_server.diagnosis.catalogue import rules
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window
from trainvitals_server.evaluator.history import MOST_METRICS, History

LAYERS = tuple(f"fc{index}" for index in range(4))
STEPS = 400
LOOKS = 10
ROWS = 5 * LOOKS  # of which every fifth looks in depth


def falling(end: float = 0.2) -> Any:
    rest = 0.02 * np.random.default_rng(0).standard_normal(STEPS)
    return end + (2.3 - end) * np.exp(-np.arange(STEPS) / 60) + rest


FLAT = falling(2.3)
WORSE = np.concatenate([falling()[:240], 1.5 + 0.02 * np.random.default_rng(1).standard_normal(160)])


def spiked(at: int = 380, length: int = 4) -> Any:
    losses = falling()
    losses[at : at + length] += 3.0
    return losses


def window(
    *, loss: Any = None, dtype: str = "float32", eps: float = 1e-8, metrics: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None, **stats: Any,
) -> Window:  # fmt: skip
    """Four layers at every eighth step; a stat is a number, one a layer, or [looks, layers or 1]."""
    steps = np.arange(ROWS, dtype=np.int64) * 8
    wide = {}
    for name, value in stats.items():
        wide[name] = np.full((ROWS, len(LAYERS)), np.nan, np.float32)
        wide[name][::5] = np.broadcast_to(np.asarray(value, np.float32), (LOOKS, len(LAYERS)))
    group = ParameterGroup(settings={"eps": eps, "lr": 1e-3} | (settings or {}), layers=list(LAYERS))
    given = {"loss": FLAT if loss is None else loss} | (metrics or {})
    return Window(
        run_id="r",
        step=STEPS - 1,
        layers=LAYERS,
        steps=steps,
        stats=wide,
        metrics={name: series(values) for name, values in given.items()},
        info={name: LayerInfo(name=name, kind="Linear", parameters=100, trainable=100, dtype=dtype) for name in LAYERS},
        optimizers=(OptimizerInfo(kind="AdamW", groups=[group]),),
    )


def series(values: Any) -> Series:
    found = np.asarray(values, np.float32)
    return Series(steps=np.linspace(0, STEPS - 1, len(found)).astype(np.int64), values=found)


def found(rule: str, seen: Window) -> list[Symptom]:
    return list(rules()[rule](seen))


def looks(*values: float) -> Any:
    """A value for each look, the last for all that are left."""
    return np.array([*values, *[values[-1]] * (LOOKS - len(values))])[:, None]


HALVED = 65536 * 0.5 ** (np.arange(ROWS) // 2)
HALF = {"dtype": "bfloat16", "lost_update_fraction": 0.9}
SMALL = {"epsilon_fraction": 1.0, "grad_zero_fraction": 0.0}
OUTRUN = np.where(np.arange(LOOKS) == 9, 5.0, 1.0)[:, None]  # at step 360
GROWN = looks(2, 2, 2, 10, 20, 40, 60, 80, 90, 95)

ILLS = {
    "weights in bfloat16": ("updates_lost", window(**HALF)),
    "weights in float16": ("updates_lost", window(**(HALF | {"dtype": "float16"}))),
    "a scale that falls under 1": ("loss_scale_collapsing", window(metrics={"loss_scale": HALVED})),
    "a scale that falls from on high": (
        "loss_scale_collapsing", window(metrics={"loss_scale": np.maximum(HALVED * 2**20, 2.0**20) - np.arange(ROWS)}),
    ),
    "a step in three is skipped": ("skipped_steps", window(metrics={"skipped_steps": np.arange(ROWS) * 4})),
    "an ε of 1": ("epsilon_dominating", window(eps=1.0, **SMALL)),
    "gradients that are too small from the start": ("epsilon_dominating", window(**SMALL)),
    "a spike behind gradients that ran away": ("adam_rms_high", window(loss=spiked(365), adam_rms=OUTRUN)),
    "logits that grow while the loss rises": (
        "attention_logits_growing", window(loss=WORSE, attention_logit_max=GROWN),
    ),
    "logits that grow while the loss stays": ("attention_logits_growing", window(attention_logit_max=GROWN)),
    "attention to single keys": ("attention_entropy_collapse", window(attention_entropy=looks(0.9, 0.5, 0.05, 0.02))),
}  # fmt: skip


@pytest.mark.parametrize("name", ILLS)
def test_a_rule_speaks_on_its_ill(name: str) -> None:
    rule, sick = ILLS[name]
    (symptom,) = found(rule, sick)

    assert symptom.severity == "warning"
    assert symptom.advice


TWIN = {
    "lost_update_fraction": 0.1, "epsilon_fraction": 0.01, "grad_zero_fraction": 0.3, "adam_rms": 1.0,
    "attention_logit_max": 5.0, "attention_entropy": 0.6,
}  # fmt: skip


@pytest.mark.parametrize("rule", sorted({rule for rule, _ in ILLS.values()}))
def test_a_rule_is_silent_on_a_healthy_run_and_on_an_empty_one(rule: str) -> None:
    scaled = {"loss_scale": np.full(ROWS, 65536.0), "skipped_steps": np.full(ROWS, 1.0)}

    assert found(rule, window(loss=falling(), dtype="bfloat16", metrics=scaled, **TWIN)) == []
    assert found(rule, Window(run_id="r", step=0)) == []


MILD = {
    "lost steps while the loss falls": ("updates_lost", window(loss=falling(0.5), **HALF)),
    "an ε that was raised on purpose": ("epsilon_dominating", window(loss=falling(0.5), eps=1e-3, **SMALL)),
    "gradients that run away without a spike": ("adam_rms_high", window(loss=falling(), adam_rms=OUTRUN)),
    "broken data, and gradients of the same step": ("adam_rms_high", window(loss=spiked(360), adam_rms=OUTRUN)),
    "a single bad batch": ("adam_rms_high", window(loss=spiked(365, 1), adam_rms=OUTRUN)),
    "large logits while the loss falls": (
        "attention_logits_growing", window(loss=falling(), attention_logit_max=GROWN),
    ),
    "a task for sharp attention": ("attention_entropy_collapse", window(loss=falling(), attention_entropy=0.02)),
}  # fmt: skip


@pytest.mark.parametrize("name", MILD)
def test_what_costs_nothing_is_worth_knowing_at_most(name: str) -> None:
    rule, seen = MILD[name]

    assert [symptom.severity for symptom in found(rule, seen)] == ["info"]


COSINE = 1 + np.cos(np.linspace(0, np.pi, ROWS))
QUIET = {
    "weights in single precision at the tail of a cosine": (
        "updates_lost", window(lost_update_fraction=0.9, metrics={"lr": COSINE}),
    ),
    "the tail of a cosine in bfloat16": ("updates_lost", window(metrics={"lr": COSINE}, **HALF)),
    "warm-up in bfloat16": ("updates_lost", window(metrics={"lr": np.linspace(0, 1, ROWS)}, **HALF)),
    "a training that has converged in bfloat16": ("updates_lost", window(loss=falling(0.01), **HALF)),
    "Kahan summation": ("updates_lost", window(settings={"kahan_sum": True}, **HALF)),
    "one layer that loses its steps": (
        "updates_lost", window(dtype="bfloat16", lost_update_fraction=[0.9, 0.1, 0.1, 0.1]),
    ),
    "the search for a scale": (
        "loss_scale_collapsing",
        window(metrics={"loss_scale": np.where(np.arange(ROWS) < 2, 2.0**40, 65536.0)}),
    ),
    "a scale that has found its level": (
        "loss_scale_collapsing", window(metrics={"loss_scale": np.where(np.arange(ROWS) < 20, 65536.0, 0.5)}),
    ),
    "a scale that goes up and down": (
        "loss_scale_collapsing", window(metrics={"loss_scale": np.where(np.arange(ROWS) % 2, 2.0, 1.0)}),
    ),
    "skipped while a scale was looked for": (
        "skipped_steps", window(metrics={"skipped_steps": np.full(ROWS, 24.0)}),
    ),
    "a step in two thousand is skipped": ("skipped_steps", window(metrics={"skipped_steps": np.arange(ROWS) // 25})),
    "skipped by an earlier attempt": (
        "skipped_steps", window(metrics={"skipped_steps": np.where(np.arange(ROWS) < 48, np.arange(ROWS) * 8, 0)}),
    ),
    "gradients that have become small": (
        "epsilon_dominating", window(epsilon_fraction=looks(0, 0, 0, 1), grad_zero_fraction=0.0),
    ),
    "one layer whose gradient vanishes": (
        "epsilon_dominating", window(eps=1e-6, epsilon_fraction=[1, 0, 0, 0], grad_zero_fraction=0.0),
    ),
    "rows that no batch has": ("epsilon_dominating", window(epsilon_fraction=0.97, grad_zero_fraction=0.97)),
    "a training that has converged": ("epsilon_dominating", window(loss=falling(0.01), eps=1e-5, **SMALL)),
    "a spike long after": ("adam_rms_high", window(loss=spiked(385), adam_rms=looks(1, 1, 1, 5, 1))),
    "logits that are large from the start": ("attention_logits_growing", window(attention_logit_max=80.0)),
    "logits that come down again": (
        "attention_logits_growing", window(attention_logit_max=looks(2, 2, 2, 90, 90, 90, 80, 70, 60)),
    ),
    "one sharp layer of four": ("attention_entropy_collapse", window(attention_entropy=[0.01, 0.5, 0.5, 0.5])),
}  # fmt: skip


@pytest.mark.parametrize("trap", QUIET)
def test_no_rule_cries_wolf(trap: str) -> None:
    rule, seen = QUIET[trap]

    assert found(rule, seen) == []


def test_what_a_scaler_does_is_kept_however_many_metrics_there_are() -> None:
    history = History("r")
    for index in range(2 * MOST_METRICS):
        history.add_point(f"mine/{index}", 0, 1.0)
    history.add_point("loss_scale", 0, 65536.0)
    history.add_point("skipped_steps", 0, 0.0)

    assert {"loss_scale", "skipped_steps"} <= history.window().metrics.keys()
