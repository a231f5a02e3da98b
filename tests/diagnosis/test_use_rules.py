"""Rules that read what of a network, a batch or a process is put to use, and what lies idle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trainvitals.wire.facts import LOSS_FUNCTIONS
from trainvitals.wire.messages import LayerInfo
from trainvitals_server.diagnosis.catalogue import rules
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window

STEPS = 800
SNAPSHOTS = 40
NAN = math.nan


def layer(name: str, kind: str = "Linear", **settings: float) -> LayerInfo:
    return LayerInfo(name=name, kind=kind, parameters=100, trainable=100, settings=settings)


def resting(level: float, start: float = 2.4) -> Any:
    noise = 0.02 * np.random.default_rng(0).standard_normal(STEPS)
    return level + (start - level) * np.exp(-np.arange(STEPS) / 30) + noise


def series(values: Any, length: int = SNAPSHOTS) -> Series:
    found = np.broadcast_to(np.asarray(values, np.float32), np.shape(values) or (length,))
    return Series(steps=np.linspace(0, STEPS - 1, len(found)).astype(np.int64), values=found)


def window(
    *, layers: tuple[LayerInfo, ...] = (layer("stem"), layer("head", out_features=10.0)),
    stats: Mapping[str, Any] | None = None, loss: Any = None, **metrics: Any,
) -> Window:  # fmt: skip
    """A run of 800 steps; stats are broadcast to [snapshots, layers], facts are written without their slash."""
    named = {name.replace("facts_", "facts/"): series(values) for name, values in metrics.items()}
    return Window(
        run_id="r",
        step=STEPS - 1,
        layers=tuple(one.name for one in layers),
        steps=np.linspace(0, STEPS - 1, SNAPSHOTS).astype(np.int64),
        stats={
            name: np.broadcast_to(np.asarray(values, np.float32), (SNAPSHOTS, len(layers))).copy()
            for name, values in (stats or {}).items()
        },
        metrics={"loss": series(resting(0.1) if loss is None else loss), **named},
        info={one.name: one for one in layers},
    )


def said(rule: str, found: Window) -> list[Symptom]:
    return list(rules()[rule](found))


CLASSIFIER = {"facts_loss_function": 0, "facts_loss_calls": 1, "facts_classes": 10, "facts_chance": math.log(10)}
REGRESSION = {"facts_loss_function": LOSS_FUNCTIONS.index("mse_loss"), "facts_target_std": 1.0}
WEAK = {"loss": resting(1.5), "val_loss": [2.0, 1.55, 1.52], "facts_accuracy": 0.45, **CLASSIFIER, "facts_rows": 64}
LABELLED = {"facts_rows": 64, "facts_examples": 64}
NORMED = (layer("stem"), layer("norm", "BatchNorm2d"), layer("head"))
MOVING = {"running_drift": np.linspace(0.1, 1.0, SNAPSHOTS)[:, None] * [NAN, 1, NAN]}
PACE = {
    "examples_per_second": 640.0, "seconds/data": 0.01, "seconds/forward": 0.02, "seconds/backward": 0.06,
    "seconds/optimizer": 0.01,
}  # fmt: skip
WORDS = (layer("words", "Embedding", num_embeddings=1000.0), layer("head"))
EXPERTS = (layer("router"), *(layer(f"blocks.0.experts.{number}.up") for number in range(4)), layer("head"))


def unmoved(start: float, end: float, *, of_head: float = 0.0) -> dict[str, Any]:
    fallen = end + (start - end) * np.exp(-np.arange(SNAPSHOTS) / 4)
    return {"unmoved_fraction": np.stack([fallen, np.full(SNAPSHOTS, of_head)], axis=1)}


def of_experts(*norms: float) -> dict[str, Any]:
    return {"grad_norm": np.array([1.0, *norms, 1.0])}


ILLS = {
    "underfitting": ("info", [window(**WEAK), window(loss=resting(0.6, 1.1), val_loss=[0.61, 0.62], **REGRESSION)]),
    "batch_too_small": (
        "warning",
        [
            window(layers=NORMED, stats=MOVING, facts_examples=2.0, facts_input_column_ratio=3.0),
            window(layers=NORMED, stats=MOVING, facts_examples=2.0, val_loss=[2.4, 2.3, 2.2, 2.5]),
        ],
    ),
    "embedding_rows_unused": ("warning", [window(layers=WORDS, stats=unmoved(1.0, 0.98), **LABELLED)]),
    "expert_imbalance": (
        "warning",
        [
            window(layers=EXPERTS, stats=of_experts(2.0, 0.0, 0.0, 0.0)),
            window(layers=EXPERTS, stats=of_experts(NAN, 2.0, 1e-6, NAN)),
        ],
    ),
    "run_stalled": ("warning", [window(facts_idle_seconds=[400.0], facts_longest_pause_seconds=[20.0])]),
}
AT_THE_END = np.array([STEPS - 1], np.int64)


def at_the_end(found: Window) -> Window:
    """With the facts of idle processes at the newest step, where the SDK has them."""
    for name in ("facts/idle_seconds", "facts/longest_pause_seconds"):
        if name in found.metrics:
            found.metrics[name] = Series(steps=AT_THE_END, values=found.metrics[name].values)  # type: ignore[index]  # a dict
    return found


ALL = [(rule, severity, at_the_end(found)) for rule, (severity, every) in ILLS.items() for found in every]


@pytest.mark.parametrize(("rule", "severity", "sick"), ALL, ids=[f"{rule}-{at}" for at, (rule, _, _) in enumerate(ALL)])
def test_a_rule_speaks_on_its_ill(rule: str, severity: str, sick: Window) -> None:
    (symptom,) = said(rule, sick)

    assert (symptom.rule, symptom.severity) == (rule, severity)
    assert symptom.advice


HEALTHY = window(
    layers=(*NORMED, *WORDS[:1], *EXPERTS),
    stats={
        "running_drift": np.linspace(0.1, 1.0, SNAPSHOTS)[:, None],
        "unmoved_fraction": np.linspace(1.0, 0.2, SNAPSHOTS)[:, None],
        "grad_norm": 1.0,
    },
    val_loss=[2.0, 0.3, 0.15],
    facts_examples=64.0,
    facts_accuracy=0.97,
    gradient_noise_scale=200.0,
    **PACE,
    **CLASSIFIER,
)


@pytest.mark.parametrize("rule", ILLS)
def test_a_rule_is_silent_on_a_healthy_run_and_on_an_empty_one(rule: str) -> None:
    assert said(rule, HEALTHY) == []
    assert said(rule, Window(run_id="r", step=0)) == []


QUIET = {
    "a gap to the validation": ("underfitting", window(**{**WEAK, "val_loss": [2.0, 1.9, 1.8]})),
    "a loss that falls still": ("underfitting", window(**{**WEAK, "loss": np.linspace(2.4, 1.5, STEPS)})),
    "a loss that is still that of knowing nothing": (
        "underfitting", window(**{**WEAK, "loss": resting(2.2), "val_loss": [2.2, 2.2]}),
    ),
    "no validation": ("underfitting", window(**{**WEAK, "val_loss": [NAN]})),
    "a regression that explains most": (
        "underfitting", window(loss=resting(0.1, 1.1), val_loss=[0.1, 0.1], **REGRESSION),
    ),
    "a few examples, and no batch norm": ("batch_too_small", window(facts_examples=1.0)),
    "batch norm that is shared over processes": (
        "batch_too_small",
        window(layers=(layer("stem"), layer("norm", "SyncBatchNorm"), layer("head")), stats=MOVING, facts_examples=2.0),
    ),
    "points that come as one example": (
        "batch_too_small", window(layers=NORMED, stats=MOVING, facts_examples=1.0, facts_rows=4096),
    ),
    "batch norm that is frozen": (
        "batch_too_small", window(layers=NORMED, stats={"running_drift": 0.0}, facts_examples=1.0),
    ),
    "a lower validation loss, as of augmented pictures": ("underfitting", window(**{**WEAK, "val_loss": [2.0, 1.2]})),
    "a text, of which nobody tells every letter": (
        "underfitting", window(**WEAK | {"facts_rows": 2048, "facts_examples": 64}),
    ),
    "a vocabulary that comes up late": (
        "embedding_rows_unused", window(layers=WORDS, stats=unmoved(1.0, 0.2), **LABELLED),
    ),
    "a table of millions, little of which can have come up": (
        "embedding_rows_unused",
        window(layers=(layer("items", "Embedding", num_embeddings=1e7), layer("head")), stats=unmoved(1.0, 0.99),
               **LABELLED),
    ),
    "places beyond the inputs' length": (
        "embedding_rows_unused",
        window(layers=(layer("wpe", "Embedding", num_embeddings=1000.0), layer("head")), stats=unmoved(1.0, 0.98),
               **LABELLED),
    ),
    "weights that are watched anew": (
        "embedding_rows_unused",
        window(layers=WORDS, stats={"unmoved_fraction": np.repeat([0.1, 0.98], [30, 10])[:, None]}, **LABELLED),
    ),
    "a module called embedding that tells of no rows": (
        "embedding_rows_unused",
        window(layers=(layer("embed", "TextEmbeddings"), layer("head")), stats=unmoved(1.0, 0.8), **LABELLED),
    ),
    "a resumed run of which little was seen": (
        "embedding_rows_unused",
        replace(window(layers=WORDS, stats=unmoved(1.0, 0.98), **LABELLED), step=100_020,
                steps=99_981 + np.arange(SNAPSHOTS)),
    ),
    "a run that goes on, of which little was seen since": (
        "embedding_rows_unused",
        replace(window(layers=WORDS, stats={"unmoved_fraction": np.repeat([0.1, 0.98], [18, 22])[:, None]}, **LABELLED),
                steps=np.concatenate([np.linspace(0, 700, 18).astype(np.int64), np.arange(710, 798, 4)])),
    ),
    "an embedding that does not learn at all": (
        "embedding_rows_unused", window(layers=WORDS, stats={"unmoved_fraction": 1.0}, **LABELLED),
    ),
    "a layer that is no embedding": (
        "embedding_rows_unused", window(layers=WORDS, stats=unmoved(0.1, 0.1, of_head=0.99), **LABELLED),
    ),
    "experts that take turns": (
        "expert_imbalance",
        window(layers=EXPERTS, stats={
            "grad_norm": np.stack([[1.0, *np.roll([2.0, NAN, NAN, NAN], turn), 1.0] for turn in range(SNAPSHOTS)]),
        }),
    ),
    "an expert whose gradient is infinite": (
        "expert_imbalance", window(layers=EXPERTS, stats=of_experts(1.0, math.inf, 1.0, 1.0)),
    ),
    "nothing that reaches any expert": ("expert_imbalance", window(layers=EXPERTS, stats=of_experts(0, 0, 0, 0))),
    "experts that are passed by are no layers that should have moved": (
        "layer_not_learning",
        window(layers=EXPERTS, stats={
            "weight_norm": np.where([1, 1, 0, 0, 0, 1], np.linspace(9, 10, SNAPSHOTS)[:, None], 9.0),
            "update_ratio": np.where([1, 1, 0, 0, 0, 1], 1e-3, 0.0),
            "grad_norm": np.where([1, 1, 0, 0, 0, 1], 1.0, NAN),
        }),
    ),
    "a pause no longer than those before": (
        "run_stalled", at_the_end(window(facts_idle_seconds=[400.0], facts_longest_pause_seconds=[300.0])),
    ),
    "what comes after the last step": (
        "run_stalled",
        replace(at_the_end(window(facts_idle_seconds=[400.0], facts_longest_pause_seconds=[1.0])), planned_steps=STEPS),
    ),
    "a pause that is over": ("run_stalled", window(facts_idle_seconds=[400.0], facts_longest_pause_seconds=[1.0])),
}  # fmt: skip


@pytest.mark.parametrize("name", QUIET)
def test_a_rule_does_not_cry_wolf(name: str) -> None:
    rule, healthy = QUIET[name]

    assert said(rule, healthy) == []


MILD = {
    "a clip whose frames may be folded into the batch": (
        "batch_too_small", window(layers=NORMED, stats=MOVING, facts_examples=1.0, val_loss=[2.4, 0.5, 0.3, 0.3]),
    ),
    "two examples of which nobody tells how they come, and no validation": (
        "batch_too_small", window(layers=NORMED, stats=MOVING, facts_examples=2.0),
    ),
    "bytes of which the text uses a third": (
        "embedding_rows_unused",
        window(layers=(layer("bytes", "Embedding", num_embeddings=256.0), layer("head")), stats=unmoved(1.0, 0.625),
               **LABELLED),
    ),
    "four examples": ("batch_too_small", window(layers=NORMED, stats=MOVING, facts_examples=4.0)),
    "steps that are mostly noise": (
        "batch_too_small", window(facts_examples=16.0, gradient_noise_scale=4000.0, **PACE),
    ),
    "a vocabulary of which a third comes up": (
        "embedding_rows_unused", window(layers=WORDS, stats=unmoved(1.0, 0.7), **LABELLED),
    ),
    "one expert of four that is passed by": (
        "expert_imbalance", window(layers=EXPERTS, stats=of_experts(1.0, 1.0, 1.0, 0.0)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MILD)
def test_what_may_be_meant_is_told_as_worth_knowing(name: str) -> None:
    rule, found = MILD[name]

    assert [symptom.severity for symptom in said(rule, found)] == ["info"]


def test_experts_that_lie_idle_are_named() -> None:
    (symptom,) = said("expert_imbalance", window(layers=EXPERTS, stats=of_experts(2.0, 0.0, 1e-9, 0.0)))

    assert symptom.layers == tuple(f"blocks.0.experts.{number}.up" for number in (1, 2, 3))
    assert symptom.evidence.numbers["that work"] == 1


def test_an_expert_that_works_alone_is_told_though_its_gradient_is_infinite_at_times() -> None:
    norms = np.broadcast_to([1.0, 2.0, 0.0, 0.0, 0.0, 1.0], (SNAPSHOTS, 6)).copy()
    norms[-3::2, 1] = math.inf

    (symptom,) = said("expert_imbalance", window(layers=EXPERTS, stats={"grad_norm": norms}))

    assert (symptom.severity, symptom.evidence.numbers["that work"]) == ("warning", 1)


def test_rows_that_never_come_up_are_counted_since_watching_began() -> None:
    late = replace(window(layers=WORDS, stats=unmoved(1.0, 0.98), **LABELLED), step=100_799)
    late = replace(late, steps=late.steps + 100_000)

    (symptom,) = said("embedding_rows_unused", late)

    assert (symptom.first_step, "799 steps ago" in symptom.summary) == (100_000, True)


@pytest.mark.parametrize("examples", [3.0, 4.0])
def test_the_evidence_of_small_batches_is_true(examples: float) -> None:
    (symptom,) = said("batch_too_small", window(layers=NORMED, stats=MOVING, facts_examples=examples))

    assert symptom.evidence.comparison == "<"
    assert examples == symptom.evidence.value < symptom.evidence.threshold  # type: ignore[operator]  # both are numbers


def test_a_part_that_is_idle_in_every_expert_is_no_router_s_choice() -> None:
    experts = tuple(layer(f"experts.{number}.{part}") for number in range(3) for part in ("up", "down"))
    moves = np.array([1, 0] * 3)
    found = window(
        layers=experts,
        stats={
            "weight_norm": np.where(moves, np.linspace(9, 10, SNAPSHOTS)[:, None], 9.0),
            "update_ratio": np.where(moves, 1e-3, 0.0),
            "grad_norm": np.where(moves, 1.0, NAN),
        },
    )

    (symptom,) = said("layer_not_learning", found)
    assert symptom.layers == ("experts.0.down", "experts.1.down", "experts.2.down")
