"""Rules that read facts: each speaks on its ill, and is silent on the healthy twin, on its traps, and without facts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from trainvitals.wire.facts import LOSS_FUNCTIONS
from trainvitals.wire.messages import InitialWeights, LayerInfo, OptimizerInfo
from trainvitals_server.diagnosis.catalogue import rules
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window

STEPS = 400
SNAPSHOTS = 32
CLASSES = 10
LAYERS = ("stem", "body", "head")


def falling(start: float = 2.3, end: float = 0.2, points: int = STEPS) -> Any:
    return end + (start - end) * np.exp(-np.arange(points) / (points / 6))


def flat(level: float = 2.3, points: int = STEPS) -> Any:
    return level + 0.02 * np.random.default_rng(0).standard_normal(points)


def linear(name: str, **more: Any) -> LayerInfo:
    initial = InitialWeights(std=0.07, largest=0.12, fan_in=64)
    settings = {"in_features": 64.0, "out_features": 64.0}
    return LayerInfo(
        **({"name": name, "kind": "Linear", "parameters": 4096, "trainable": 4096, "settings": settings,
            "initial": initial} | more)
    )  # fmt: skip


def of_kind(name: str, kind: str, **settings: float) -> LayerInfo:
    return LayerInfo(name=name, kind=kind, parameters=0, trainable=0, settings=settings)


HEAD = linear("head", settings={"in_features": 64.0, "out_features": float(CLASSES)})
CLASSIFIER = {
    "loss_function": 0, "loss_calls": 1, "classes": CLASSES, "rows": 64, "chance": math.log(CLASSES),
    "loss": falling(2.4, 0.2, SNAPSHOTS), "label_majority": 0.15, "predicted_majority": 0.2, "commonest_label": 3,
    "commonest_prediction": 3, "label_entropy": 2.2, "accuracy": np.linspace(0.1, 0.95, SNAPSHOTS),
    "labels_out_of_range": 0, "score_min": -3.0, "score_sum_error": 5.0, "input_mean": 0.3, "input_std": 0.4,
    "input_max": 1.0, "input_checksum": np.arange(SNAPSHOTS), "trained_in_evaluation_mode": 0,
    "validated_in_training_mode": 0, "validated_in_evaluation_mode": 3,
}  # fmt: skip
REGRESSION = {
    "loss_function": LOSS_FUNCTIONS.index("mse_loss"), "loss_calls": 1, "rows": 64,
    "loss": falling(1.1, 0.2, SNAPSHOTS), "target_mean": 0.0, "target_std": 1.0, "prediction_mean": 0.0,
    "prediction_std": np.linspace(0.1, 0.9, SNAPSHOTS), "shapes_differ": 0, "broadcast": 1, "input_mean": 0.0,
    "input_std": 1.0, "input_max": 3.0, "input_checksum": np.arange(SNAPSHOTS),
}  # fmt: skip
BINARY = CLASSIFIER | {
    "loss_function": LOSS_FUNCTIONS.index("binary_cross_entropy_with_logits"), "classes": 2, "chance": math.log(2),
    "loss": falling(0.7, 0.1, SNAPSHOTS), "label_majority": 0.6, "score_max": 3.0,
}  # fmt: skip


def window(
    facts: dict[str, Any],
    *,
    loss: Any = None,
    layers: tuple[LayerInfo, ...] = (linear("stem"), linear("body"), HEAD),
    optimizers: int = 1,
    update_ratio: float = 1e-3,
    metrics: dict[str, Any] | None = None,
    **more: Any,
) -> Window:
    """A run of 400 steps and 32 snapshots; a fact is a number, or one for each snapshot."""
    steps = np.linspace(0, STEPS - 1, SNAPSHOTS).astype(np.int64)

    def points(values: Any) -> Series:
        found = np.broadcast_to(np.asarray(values, np.float32), (SNAPSHOTS,))
        return Series(steps=steps, values=found)

    whole = np.asarray(falling() if loss is None else loss, np.float32)
    stats = {"grad_norm": 1.0, "weight_norm": np.linspace(10, 11, SNAPSHOTS)[:, None], "update_ratio": update_ratio}
    return Window(
        run_id="r",
        step=STEPS - 1,
        layers=tuple(layer.name for layer in layers),
        steps=steps,
        stats={
            name: np.broadcast_to(np.asarray(value, np.float32), (SNAPSHOTS, len(layers))).copy()
            for name, value in (stats | more).items()
        },
        metrics={
            "loss": Series(steps=np.arange(STEPS, dtype=np.int64), values=whole),
            **{f"facts/{name}": points(values) for name, values in facts.items()},
            **{name: points(values) for name, values in (metrics or {}).items()},
        },
        info={layer.name: layer for layer in layers},
        optimizers=tuple(OptimizerInfo(kind="Adam") for _ in range(optimizers)),
    )


def said(rule: str, found: Window) -> list[Symptom]:
    return list(rules()[rule](found))


def begun(**initial: Any) -> tuple[LayerInfo, ...]:
    """Four layers that begin alike, the last of which is the head."""
    weights = InitialWeights(**{"fan_in": 64, **initial})
    return (
        *(linear(name, initial=weights) for name in ("stem", "body", "tail")),
        linear("head", settings=HEAD.settings, initial=weights),
    )


def with_dropout(rate: float) -> tuple[LayerInfo, ...]:
    return (linear("stem"), of_kind("drop", "Dropout", p=rate), linear("body"), HEAD)


DROPPING = with_dropout(0.3)
DROPPED_BEFORE_NORM = (
    linear("stem"), of_kind("drop", "Dropout", p=0.5), linear("body"), of_kind("norm", "BatchNorm1d"), HEAD,
)  # fmt: skip
FORGOT_EVAL = {"validated_in_training_mode": np.arange(SNAPSHOTS) % 3, "validated_in_evaluation_mode": 0}
SORTED = {"label_majority": 1.0, "commonest_label": np.arange(SNAPSHOTS) // 4}
BLOWN = np.where(np.arange(SNAPSHOTS) > 4, np.nan, 1e6)
WARMING_UP = np.linspace(0, 1e-3, SNAPSHOTS)
EVERY_THIRD = np.arange(SNAPSHOTS) % 3 > 0
KEPT_LATE = np.arange(SNAPSHOTS) > 20
STUCK = {"loss": flat(2.3, SNAPSHOTS), "accuracy": 0.12}
ILLS = {
    "gradients_not_zeroed": [window(CLASSIFIER | {"gradients_kept": 1.0}), window({"gradients_kept": KEPT_LATE})],
    "softmax_twice": [
        window(CLASSIFIER | {"score_min": 0.001, "score_sum_error": 1e-6}),
        window(BINARY | {"score_min": 0.1, "score_max": 0.8}),
    ],
    "initial_loss_off": [
        window(CLASSIFIER | {"loss": falling(30.0, 1.0, SNAPSHOTS)}),
        window(CLASSIFIER | {"loss": flat(5.0, SNAPSHOTS)}),
    ],
    "class_collapse": [window(CLASSIFIER | STUCK | {"predicted_majority": 1.0}, loss=flat())],
    "labels_constant": [
        window(CLASSIFIER | {"label_majority": 1.0}),
        window(BINARY | {"label_majority": 1.0}),
    ],
    "labels_shuffled": [window(CLASSIFIER | STUCK, loss=flat())],
    "loss_unsuited": [
        window(BINARY | {"labels_out_of_range": 40}),
        window(CLASSIFIER | {"loss": -0.1}),
    ],
    "accumulation_unscaled": [window(CLASSIFIER | {"loss_passes": 4, "loss_weight": 1.0, "loss_calls": 4})],
    "shape_broadcast": [window(REGRESSION | {"shapes_differ": 1, "broadcast": 64})],
    "inputs_not_normalised": [
        window(CLASSIFIER | {"input_std": 200, "input_max": 900, "loss": falling(40.0, 2.0, SNAPSHOTS)}),
        window(CLASSIFIER | {"input_column_ratio": 5000, "loss": flat(2.3, SNAPSHOTS)}),
        window(REGRESSION | {"input_std": 300, "prediction_std": falling(80, 3, SNAPSHOTS)}),
    ],
    "same_batch": [window(CLASSIFIER | {"input_checksum": 7.0}, metrics={"val_loss": 3.0})],
    "data_not_shuffled": [window(CLASSIFIER | SORTED)],
    "validation_in_training_mode": [window(CLASSIFIER | FORGOT_EVAL, layers=DROPPING, metrics={"val_loss": 0.5})],
    "training_in_evaluation_mode": [window(CLASSIFIER | {"trained_in_evaluation_mode": 1}, layers=DROPPING)],
    "targets_not_normalised": [
        window(REGRESSION | {"target_mean": 150, "target_std": 70, "prediction_mean": 20}),
        window(REGRESSION | {"target_mean": 0.001, "target_std": 0.001, "prediction_std": 1e-5}),
        window(REGRESSION | {"target_mean": 150, "target_std": 70, "loss": BLOWN}),
    ],
    "symmetric_units": [window(CLASSIFIER, layers=begun(std=0.0, largest=0.1, equal_rows=True))],
    "poor_initialisation": [
        window(CLASSIFIER | STUCK, layers=begun(std=0.0, largest=0.0, equal_rows=True)),
        window(CLASSIFIER | STUCK, layers=begun(std=0.001, largest=0.004)),
        window(CLASSIFIER | {"loss": falling(30.0, 0.5, SNAPSHOTS)}, layers=begun(std=1.0, largest=4.0)),
    ],
    "dropout_too_high": [
        window(CLASSIFIER | {"loss": falling(2.4, 1.9, SNAPSHOTS)}, layers=with_dropout(0.9)),
        window(
            CLASSIFIER | {"loss": falling(2.4, 1.0, SNAPSHOTS)}, layers=with_dropout(0.8), metrics={"val_loss": 0.3}
        ),
    ],
    "dropout_before_batch_norm": [window(CLASSIFIER, layers=DROPPED_BEFORE_NORM, metrics={"val_loss": 1.0})],
}
ALL_ILLS = [(rule, index, found) for rule, every in ILLS.items() for index, found in enumerate(every)]


@pytest.mark.parametrize(("rule", "index", "sick"), ALL_ILLS, ids=[f"{rule}-{index}" for rule, index, _ in ALL_ILLS])
def test_a_rule_speaks_on_its_ill(rule: str, index: int, sick: Window) -> None:
    assert [symptom.rule for symptom in said(rule, sick)] == [rule]


@pytest.mark.parametrize("rule", ILLS)
@pytest.mark.parametrize("facts", [CLASSIFIER, REGRESSION, BINARY, {}], ids=["classes", "numbers", "decisions", "none"])
def test_a_rule_is_silent_on_the_healthy_twin_and_without_facts(rule: str, facts: dict[str, Any]) -> None:
    assert said(rule, window(facts)) == []


CONTRASTIVE = (linear("stem"), linear("body"), linear("head"))  # no layer with a unit for each class
TRAPS = {
    "gradients that are cleared at times": ("gradients_not_zeroed", window({"gradients_kept": EVERY_THIRD})),
    "probabilities for nll_loss": (
        "softmax_twice", window(CLASSIFIER | {"loss_function": 1, "score_min": 0.0, "score_sum_error": 0.0}),
    ),
    "logits of a few snapshots that are all positive": (
        "softmax_twice", window(BINARY | {"score_min": np.where(np.arange(SNAPSHOTS) < 30, -1.0, 0.2)}),
    ),
    "a head of zeros, whose logits are zero": (
        "softmax_twice", window(BINARY | {"score_min": 0.0, "score_max": 0.0}),
    ),
    "a pre-trained network": ("initial_loss_off", window(CLASSIFIER | {"loss": falling(0.5, 0.1, SNAPSHOTS)})),
    "a contrastive loss at a low temperature": (
        "initial_loss_off", window(CLASSIFIER | {"loss": falling(9.0, 0.1, SNAPSHOTS)}, layers=CONTRASTIVE),
    ),
    "batches of one row": (
        "initial_loss_off", window(CLASSIFIER | {"loss": falling(6.0, 0.1, SNAPSHOTS), "rows": 1}),
    ),
    "a language model that says the commonest token while its loss falls": (
        "class_collapse", window(CLASSIFIER | {"predicted_majority": 1.0}),
    ),
    "a warm-up, in which a deep network still says one class to everything": (
        "class_collapse",
        window(CLASSIFIER | STUCK | {"predicted_majority": 1.0}, loss=flat(), metrics={"lr": WARMING_UP}),
    ),
    "a warm-up, in which nothing is learnt yet": (
        "labels_shuffled", window(CLASSIFIER | STUCK, loss=flat(), metrics={"lr": WARMING_UP}),
    ),
    "classes as unequal as predictions": (
        "class_collapse", window(CLASSIFIER | STUCK | {"predicted_majority": 1.0, "label_majority": 0.97}, loss=flat()),
    ),
    "the right answer is always at place 0": (
        "labels_constant", window(CLASSIFIER | {"label_majority": 1.0, "commonest_label": 0}, layers=CONTRASTIVE),
    ),
    "a critic that is first shown what is real": (
        "labels_constant", window(BINARY | {"label_majority": 1.0, "loss_calls": 3}, optimizers=2),
    ),
    "batches of one class each": (
        "labels_constant", window(CLASSIFIER | {"label_majority": 1.0, "commonest_label": np.arange(SNAPSHOTS) // 4}),
    ),
    "a learning rate too high": ("labels_shuffled", window(CLASSIFIER | STUCK, loss=flat(), update_ratio=0.2)),
    "a learning rate too low": ("labels_shuffled", window(CLASSIFIER | STUCK, loss=flat(), update_ratio=1e-7)),
    "more right than the commonest label": (
        "labels_shuffled", window(CLASSIFIER | STUCK | {"accuracy": 0.4}, loss=flat()),
    ),
    "inputs of any size before a normalisation": (
        "inputs_not_normalised",
        window(CLASSIFIER | {"input_std": 900}, layers=(linear("stem", kind="LayerNorm"), linear("body"), HEAD)),
    ),
    "batches that differ": ("same_batch", window(CLASSIFIER, metrics={"val_loss": 3.0})),
    "one class of nearly all": ("data_not_shuffled", window(CLASSIFIER | {"label_majority": 0.97})),
    "now and then a batch of one class": (
        "data_not_shuffled",
        window(CLASSIFIER | {"label_majority": np.where(np.arange(SNAPSHOTS) % 4, 0.3, 0.95),
                             "commonest_label": np.arange(SNAPSHOTS)}),
    ),
    "contrast within batches of one label": ("data_not_shuffled", window(CLASSIFIER | SORTED, layers=CONTRASTIVE)),
    "no layer minds its mode in validation": (
        "validation_in_training_mode", window(CLASSIFIER | FORGOT_EVAL, metrics={"val_loss": 0.5}),
    ),
    "a generator without gradients, in training mode": (
        "validation_in_training_mode",
        window(CLASSIFIER | {"validated_in_training_mode": 20, "validated_in_evaluation_mode": 0}, layers=DROPPING),
    ),
    "batch norm estimated anew beside a validation": (
        "validation_in_training_mode",
        window(CLASSIFIER | FORGOT_EVAL | {"validated_in_evaluation_mode": 5}, layers=DROPPING,
               metrics={"val_loss": 0.5}),
    ),
    "dropout that drops nothing": (
        "training_in_evaluation_mode",
        window(CLASSIFIER | {"trained_in_evaluation_mode": 1}, layers=with_dropout(0.0)),
    ),
    "some steps in evaluation mode": (
        "training_in_evaluation_mode", window(CLASSIFIER | {"trained_in_evaluation_mode": 0.3}, layers=DROPPING),
    ),
    "a residual branch, a head and LoRA's B of zeros": (
        "symmetric_units", window(CLASSIFIER, layers=begun(std=0.0, largest=0.0, equal_rows=True)),
    ),
    "constant weights that are frozen": (
        "symmetric_units",
        window(CLASSIFIER, layers=(
            linear("pool", trainable=0, initial=InitialWeights(std=0, largest=0.1, fan_in=9, equal_rows=True)), HEAD,
        )),
    ),
    "zeros in a minority of the layers": (
        "poor_initialisation",
        window(CLASSIFIER | STUCK, layers=(*begun(std=0.1, largest=0.2)[:3], *begun(std=0.0, largest=0.0)[3:])),
    ),
    "large weights before norms, which do no harm": (
        "poor_initialisation", window(CLASSIFIER, layers=begun(std=1.0, largest=4.0)),
    ),
    "dropout of one half": (
        "dropout_too_high", window(CLASSIFIER, layers=with_dropout(0.5), metrics={"val_loss": 0.05}),
    ),
    "a contrastive batch as large as a hidden layer": (
        "labels_constant",
        window(CLASSIFIER | {"label_majority": 1.0, "classes": 64},
               layers=(linear("stem"), linear("end", settings={"out_features": 32.0}))),
    ),
    "dropout behind the last batch norm": (
        "dropout_before_batch_norm",
        window(CLASSIFIER, layers=DROPPED_BEFORE_NORM[::-1], metrics={"val_loss": 1.0}),
    ),
    "accumulation done right": (
        "accumulation_unscaled", window(CLASSIFIER | {"loss_passes": 4, "loss_weight": 0.25, "loss_calls": 4}),
    ),
    "two losses in one pass": (
        "accumulation_unscaled", window(CLASSIFIER | {"loss_passes": 1, "loss_weight": 1.0, "loss_calls": 2}),
    ),
    "two passes of two losses each": (
        "accumulation_unscaled", window(CLASSIFIER | {"loss_passes": 2, "loss_weight": 1.0, "loss_calls": 4}),
    ),
    "a classifier that had learnt before": (
        "loss_not_decreasing", window(CLASSIFIER, loss=flat(0.02)),
    ),
    "labels that are smoothed": ("loss_unsuited", window(BINARY | {"labels_out_of_range": 0})),
    "a loss that rounds to nothing": ("loss_unsuited", window(CLASSIFIER | {"loss": -1e-9})),
    "a target of one number for all": ("shape_broadcast", window(REGRESSION | {"shapes_differ": 1})),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAPS)
def test_a_rule_does_not_cry_wolf(name: str) -> None:
    rule, healthy = TRAPS[name]

    assert said(rule, healthy) == []


MILD = {
    "inputs that are counts double the first loss and train well": (
        "initial_loss_off", window(CLASSIFIER | {"loss": falling(4.5, 0.1, SNAPSHOTS)}),
    ),
    "counts from 0 to 16 that train well": ("inputs_not_normalised", window(CLASSIFIER | {"input_std": 20})),
    "one batch learnt by heart on purpose": ("same_batch", window(CLASSIFIER | {"input_checksum": 7.0})),
    "all data in one batch": (
        "same_batch", window(CLASSIFIER | {"input_checksum": 7.0}, metrics={"val_loss": 0.25}),
    ),
    "large targets that are learnt": (
        "targets_not_normalised",
        window(REGRESSION | {"target_mean": 150, "target_std": 70, "prediction_mean": 149, "prediction_std": 60}),
    ),
    "a constant layer before one that is drawn": (
        "symmetric_units",
        window(CLASSIFIER, layers=(begun(std=0.0, largest=0.1, equal_rows=True)[0], linear("body"), HEAD)),
    ),
    "much dropout that costs nothing": ("dropout_too_high", window(CLASSIFIER, layers=with_dropout(0.8))),
    "dropout before batch norm without a difference in validation": (
        "dropout_before_batch_norm", window(CLASSIFIER, layers=DROPPED_BEFORE_NORM, metrics={"val_loss": 0.2}),
    ),
    "weak evidence for labels that do not belong to inputs": (
        "labels_shuffled", window(CLASSIFIER | STUCK, loss=flat()),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MILD)
def test_what_costs_nothing_is_told_as_worth_knowing(name: str) -> None:
    rule, found = MILD[name]

    assert [symptom.severity for symptom in said(rule, found)] == ["info"]
