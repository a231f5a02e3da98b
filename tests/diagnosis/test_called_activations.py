"""Activations that are called as functions are judged in the layer that they follow, and no sooner than modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainvitals.wire.messages import LayerInfo
from trainvitals_server.diagnosis.catalogue import rules
from trainvitals_server.diagnosis.checklist.stages import RULES
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window

NAMES = ("conv1", "conv2", "fc1", "fc2")
SNAPSHOTS = 12
NONE = np.nan


def window(*, names: tuple[str, ...] = NAMES, kinds: dict[str, str] | None = None, **stats: Any) -> Window:
    """Layers with weights, of a training whose loss stays where it is; each stat a number for each layer."""
    info = {name: LayerInfo(name=name, kind="Linear", parameters=100, trainable=100) for name in names}
    for name, kind in (kinds or {}).items():
        info[name] = LayerInfo(name=name, kind=kind, parameters=0, trainable=0)
    wide = {
        stat: np.broadcast_to(np.asarray(value, np.float32), (SNAPSHOTS, len(info))).copy()
        for stat, value in ({"zero_fraction": 0.0} | stats).items()
    }
    steps = np.arange(SNAPSHOTS, dtype=np.int64) * 10
    loss = Series(steps=np.arange(120), values=np.full(120, 2.3, np.float32))
    return Window(run_id="r", step=119, layers=tuple(info), steps=steps, stats=wide, metrics={"loss": loss}, info=info)


def found(rule: str, seen: Window) -> list[Symptom]:
    return list(rules()[rule](seen))


class TestDead:
    def test_the_layer_before_is_named(self) -> None:
        (symptom,) = found("dead_activations", window(relu_zero_fraction=[0.6, 1.0, 0.5, NONE]))

        assert symptom.layers == ("conv2",)
        assert (symptom.evidence.stat, symptom.evidence.layers) == ("relu_zero_fraction", ["conv2"])
        assert symptom.summary.startswith("1 of 3 rectifier layers (of those called as functions the layer before is")
        assert symptom.severity == "critical"

    def test_functions_and_modules_are_judged_together(self) -> None:
        seen = window(
            kinds={"relu": "ReLU"}, zero_fraction=[0, 0, 0, 0, 1.0], relu_zero_fraction=[1.0, 0.4, 0.4, NONE, NONE]
        )
        (symptom,) = found("dead_activations", seen)

        assert symptom.layers == ("conv1", "relu")
        assert (symptom.evidence.stat, symptom.evidence.layers) == ("zero_fraction", ["relu"])
        assert symptom.summary.startswith("2 of 4 rectifier layers")

    @pytest.mark.parametrize(
        "shares", [[0.9, 0.99, 0.5, NONE], [NONE, NONE, NONE, 1.0], [NONE] * 4], ids=["sparse", "the last", "none"]
    )
    def test_what_is_sparse_or_comes_last_is_well(self, shares: list[float]) -> None:
        assert found("dead_activations", window(relu_zero_fraction=shares)) == []

    def test_one_snapshot_in_which_a_unit_fires_is_enough(self) -> None:
        seen = window(relu_zero_fraction=[0.6, 1.0, 0.5, NONE])
        seen.stats["relu_zero_fraction"][-3, 1] = 0.98

        assert found("dead_activations", seen) == []

    def test_it_concerns_runs_of_which_it_is_told(self) -> None:
        assert RULES["dead_activations"].concerns(window(relu_zero_fraction=0.5))
        assert not RULES["dead_activations"].concerns(window())


class TestSaturated:
    def test_the_layer_before_is_named(self) -> None:
        (symptom,) = found("saturated_activations", window(saturated_fraction=[0.9, 0.8, 0.1, 1.0]))

        assert symptom.layers == ("conv1", "conv2")
        assert symptom.summary.startswith(
            "2 of 3 sigmoid or tanh layers (of those called as functions the layer before"
        )
        assert symptom.severity == "warning"

    def test_few_of_many_are_worth_knowing(self) -> None:
        (symptom,) = found("saturated_activations", window(saturated_fraction=[0.9, 0.1, 0.1, NONE]))

        assert symptom.severity == "info"

    @pytest.mark.parametrize(
        ("names", "shares"),
        [
            (NAMES, [NONE, NONE, NONE, 1.0]),
            (("Generator.one", "Generator.two", "Critic.one", "Critic.two"), [NONE, 1.0, NONE, NONE]),
            (NAMES, [0.4, 0.4, 0.4, 0.4]),
        ],
        ids=["the last", "the last of a generator", "healthy"],
    )
    def test_what_comes_last_is_well(self, names: tuple[str, ...], shares: list[float]) -> None:
        assert found("saturated_activations", window(names=names, saturated_fraction=shares)) == []

    def test_a_softmax_is_no_function_behind_a_layer(self) -> None:
        seen = window(kinds={"softmax": "Softmax"}, saturated_fraction=[NONE, NONE, NONE, NONE, 1.0])

        assert found("saturated_activations", seen) == []
        assert not RULES["saturated_activations"].concerns(seen)
        assert RULES["saturated_activations"].concerns(window(saturated_fraction=0.1))
