"""Rules that read layers, gradients, schedules and validation speak on their ill, and not on its healthy twin."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from trainvitals.wire.messages import LayerInfo, OptimizerInfo, ParameterGroup
from trainvitals_server.diagnosis.catalogue import rules
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window

LAYERS = tuple(f"fc{index}" for index in range(8))
POINTS = 400


def curve(start: float = 2.3, end: float = 0.2, *, noise: float = 0.02, points: int = POINTS) -> Any:
    rest = np.random.default_rng(0).standard_normal(points) * noise
    return end + (start - end) * np.exp(-np.arange(points) / (points / 6)) + rest


FLAT = curve(2.3, 2.3)


def window(
    *, loss: Any = None, kinds: dict[str, str] | None = None, optimizer: str = "SGD", decay: float = 0.0,
    planned: int | None = None, metrics: dict[str, Any] | None = None, **stats: Any,
) -> Window:  # fmt: skip
    """Eight layers, at the first ten steps and every 20th; metrics at all steps, or at fewer if fewer are given."""
    losses = np.asarray(curve() if loss is None else loss, np.float32)
    steps = np.array([*range(10), *range(20, len(losses), 20)])
    wide = {
        name: np.broadcast_to(np.asarray(value, np.float32), (len(steps), 8)).copy() for name, value in stats.items()
    }
    given = {"loss": losses, **(metrics or {})}
    group = ParameterGroup(settings={"weight_decay": decay}, layers=list(LAYERS))
    return Window(
        run_id="r",
        step=len(losses) - 1,
        layers=LAYERS,
        steps=steps,
        stats=wide,
        metrics={name: points(values, steps, len(losses)) for name, values in given.items()},
        info={
            name: LayerInfo(name=name, kind=(kinds or {}).get(name, "Linear"), parameters=100, trainable=100)
            for name in LAYERS
        },
        optimizers=(OptimizerInfo(kind=optimizer, groups=[group]),),
        planned_steps=planned,
    )  # fmt: skip


def points(values: Any, snapshots: Any, steps: int) -> Series:
    found = np.asarray(values, np.float32)
    at = snapshots if len(found) == len(snapshots) else np.linspace(0, steps - 1, len(found))
    return Series(steps=np.asarray(at, np.int64), values=found)


def found(rule: str, seen: Window) -> list[Symptom]:
    return list(rules()[rule](seen))


SNAPSHOTS = len(window().steps)
TANH = {"fc3": "Tanh", "fc5": "Tanh"}
SATURATED = np.where(np.isin(np.arange(8), (3, 5)), 0.9, np.nan)
TURNED = [2.0, 1.5, 1.2, 1.0, 1.1, 1.3, 1.5, 1.6]
ENDED = np.where(np.arange(SNAPSHOTS) < 14, 0.1, 1e-6)
RAISED = np.where(np.arange(SNAPSHOTS) < 22, 0.01, 0.3)
WORSE = np.concatenate([curve(points=240), curve(1.5, 1.5, points=160)])
SUMS = np.minimum(np.arange(SNAPSHOTS) + 1.0, 10.0)[:, None]
CRAWL = 2.3 - 0.06 * np.arange(POINTS) / POINTS + 0.005 * np.random.default_rng(0).standard_normal(POINTS)
CUT = {
    "clipped_fraction": np.ones(SNAPSHOTS),
    "grad_norm_before_clipping": np.full(SNAPSHOTS, 5.0),
    "grad_norm": np.full(SNAPSHOTS, 0.01),
}
DECAYED = np.linspace(10, 2, SNAPSHOTS)[:, None]
PENALISED = {"loss/data": FLAT, "loss/regularisation": np.full(POINTS, 9.0)}

ILLS = {
    "saturated_activations": window(loss=FLAT, kinds=TANH, saturated_fraction=SATURATED),
    "activations_shrinking": window(loss=FLAT, activation_std=np.logspace(0, -6, 8)),
    "activations_growing": window(loss=FLAT, activation_std=np.logspace(0, 5, 8)),
    "gradients_not_zeroed": window(grad_norm=SUMS),
    "clipping_always": window(loss=FLAT, metrics=CUT),
    "learning_rate_too_high": window(loss=WORSE, metrics={"lr": RAISED}),
    "learning_rate_too_low": window(loss=CRAWL, update_ratio=5e-5),
    "schedule_ended": window(planned=4000, metrics={"lr": ENDED}),
    "overfitting": window(metrics={"val_loss": TURNED}),
    "weight_decay_too_strong": window(loss=FLAT, decay=0.5, weight_norm=DECAYED),
    "regularisation_dominating": window(loss=FLAT + 9, metrics=PENALISED),
}


@pytest.mark.parametrize("rule", ILLS)
def test_a_rule_speaks_on_its_ill(rule: str) -> None:
    (symptom,) = found(rule, ILLS[rule])

    assert symptom.severity != "info" or rule == "learning_rate_too_low"
    assert symptom.advice


@pytest.mark.parametrize("rule", ILLS)
def test_a_rule_is_silent_on_a_healthy_run_and_on_an_empty_one(rule: str) -> None:
    healthy = window(
        kinds=TANH,
        saturated_fraction=np.where(np.isnan(SATURATED), np.nan, 0.1),
        activation_std=1.0,
        grad_norm=1.0,
        update_ratio=1e-3,
        weight_norm=10.0,
        decay=0.1,
        metrics={
            "lr": np.full(SNAPSHOTS, 0.1),
            "val_loss": np.linspace(2, 0.5, 8),
            "loss/regularisation": np.full(POINTS, 9.0),
        },
    )

    assert found(rule, healthy) == []
    assert found(rule, Window(run_id="r", step=0)) == []


@pytest.mark.parametrize(
    "rule", ["saturated_activations", "activations_shrinking", "activations_growing", "clipping_always"]
)
def test_a_symptom_is_worth_knowing_at_most_while_the_loss_falls(rule: str) -> None:
    falls = Series(steps=np.arange(POINTS), values=np.asarray(curve(), np.float32))
    (symptom,) = found(rule, replace(ILLS[rule], metrics=dict(ILLS[rule].metrics) | {"loss": falls}))

    assert symptom.severity == "info"


ZERO_BRANCHES = np.where(np.arange(8) % 2 == 1, 1e-9, 1.0)
QUIET = {
    "the last activation of a classifier": (
        "saturated_activations",
        {"kinds": {"fc7": "Sigmoid"}, "loss": FLAT, "saturated_fraction": np.where(np.arange(8) == 7, 1.0, np.nan)},
    ),
    "residual branches that begin at zero": ("activations_shrinking", {"loss": FLAT, "activation_std": ZERO_BRANCHES}),
    "outputs that come back from nothing": (
        "activations_growing",
        {"loss": FLAT, "activation_std": np.logspace(-9, -0.5, 8)},
    ),
    "layers without outputs of their own": (
        "activations_shrinking",
        {"loss": FLAT, "activation_std": np.where(np.arange(8) > 3, np.nan, 1.0)},
    ),
    "gradients that grow in one layer of two": (
        "gradients_not_zeroed",
        {"grad_norm": np.where(np.arange(8) % 2 == 0, SUMS, 1.0)},
    ),
    "gradients that grow as sums do, and are cleared": (
        "gradients_not_zeroed",
        {"grad_norm": SUMS, "metrics": {"facts/gradients_kept": np.zeros(SNAPSHOTS)}},
    ),
    "gradients that explode": (
        "gradients_not_zeroed",
        {"grad_norm": np.exp(np.minimum(np.arange(SNAPSHOTS), 10.0))[:, None]},
    ),
    "a restart that comes back": (
        "learning_rate_too_high",
        {
            "loss": np.concatenate([curve(points=200), curve(0.9, 0.2, points=200)]),
            "metrics": {"lr": np.where(np.arange(SNAPSHOTS) < 18, 0.01, 0.1)},
        },
    ),
    "a rate that is constant": ("learning_rate_too_high", {"loss": WORSE, "metrics": {"lr": np.full(SNAPSHOTS, 0.1)}}),
    "warm-up": (
        "learning_rate_too_low",
        {"loss": CRAWL, "update_ratio": 5e-5, "metrics": {"lr": np.linspace(0, 1, SNAPSHOTS)}},
    ),
    "a cosine that ends with the training": (
        "schedule_ended",
        {"planned": POINTS, "metrics": {"lr": 1 + np.cos(np.linspace(0, np.pi, SNAPSHOTS))}},
    ),
    "a fine last phase of planned steps": (
        "schedule_ended",
        {"planned": POINTS, "loss": FLAT, "metrics": {"lr": np.where(np.arange(SNAPSHOTS) < 34, 0.1, 1e-6)}},
    ),
    "a rate lowered on a plateau": ("schedule_ended", {"loss": FLAT, "metrics": {"lr": ENDED}}),
    "one bad evaluation": ("overfitting", {"metrics": {"val_loss": [2.0, 1.5, 1.2, 1.0, 1.5, 1.0, 0.9, 1.4]}}),
    "a validation loss that rises with the training loss": (
        "overfitting",
        {"loss": WORSE, "metrics": {"val_loss": TURNED}},
    ),
    "weights that shrink while the loss falls": ("weight_decay_too_strong", {"decay": 0.5, "weight_norm": DECAYED}),
    "weights that shrink without decay": ("weight_decay_too_strong", {"loss": FLAT, "weight_norm": DECAYED}),
    "clipping of outliers alone": (
        "clipping_always",
        {"loss": FLAT, "metrics": CUT | {"clipped_fraction": np.arange(SNAPSHOTS) % 4 == 0}},
    ),
}


@pytest.mark.parametrize("trap", QUIET)
def test_no_rule_cries_wolf(trap: str) -> None:
    rule, seen = QUIET[trap]
    told: dict[str, Any] = dict(seen)

    assert found(rule, window(**told)) == []


def test_a_low_validation_loss_that_doubles_is_overfitting() -> None:
    doubled, wavering = [1.0, 0.4, 0.19, 0.2, 0.3, 0.34, 0.37], [1.0, 0.4, 0.19, 0.2, 0.22, 0.24, 0.25]

    (symptom,) = found("overfitting", window(metrics={"val_loss": doubled}))

    assert symptom.evidence.numbers["best"] == pytest.approx(0.19)
    assert found("overfitting", window(metrics={"val_loss": wavering})) == []


def test_a_rate_that_was_gone_before_anything_was_learnt_is_told_whatever_the_loss_did() -> None:
    gone = np.where(np.arange(SNAPSHOTS) < 4, 0.1, 0.0)

    (symptom,) = found("schedule_ended", window(loss=FLAT, metrics={"lr": gone}))

    assert "the learning rate is zero while the training goes on" in symptom.summary


def test_a_rate_that_ran_out_is_told_as_long_as_the_run_goes_on() -> None:
    (symptom,) = found("schedule_ended", window(planned=int(1.05 * POINTS), metrics={"lr": ENDED}))

    assert symptom.severity == "warning"


@pytest.mark.parametrize("ended", [0.2, 1e-7])
def test_a_rate_may_end_at_any_share_of_its_peak(ended: float) -> None:
    rate = np.where(np.arange(SNAPSHOTS) < 14, 0.1, 0.75 * ended * 0.1)
    rule = partial(rules()["schedule_ended"], ended=ended)
    steps = window().steps

    (planned,) = rule(window(planned=4000, metrics={"lr": rate}))
    (falling,) = rule(window(loss=curve(2.3, 0.2), metrics={"lr": rate}))

    assert steps[13] <= planned.first_step == falling.first_step <= steps[14]
    assert list(rule(window(loss=FLAT, metrics={"lr": rate}))) == []


def test_clipping_under_adam_is_worth_knowing_at_most() -> None:
    (symptom,) = found("clipping_always", window(loss=FLAT, optimizer="AdamW", metrics=CUT))

    assert symptom.severity == "info"
