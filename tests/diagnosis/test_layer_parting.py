"""Where the layers of two runs part: the first to differ at all, and the first to go another way."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trainvitals.wire.answers import Heatmap
from trainvitals.wire.checklist import LayerDifference
from trainvitals.wire.floats import Floats
from trainvitals_server.diagnosis.layer_parting import first_apart, first_difference

LAYERS = ["embed", "body", "head"]
STEPS = 200


def heatmap(values: NDArray[Any], *, stat: str = "grad_norm", every: int = 1, layers: list[str] = LAYERS) -> Heatmap:
    steps = list(range(0, values.shape[1] * every, every))
    finite = np.isfinite(values)
    mean = Floats.of(np.where(finite, values, math.nan).ravel().tolist())
    return Heatmap(
        run_id="r", stat=stat, layers=layers, steps=steps, last_step=steps[-1] if steps else 0, mean=mean, high=mean,
        nonfinite=(~finite & ~np.isnan(values)).astype(int).ravel().tolist(),
    )  # fmt: skip


def noisy(seed: int = 0, *, steps: int = STEPS) -> NDArray[Any]:
    """Of three layers of different size, each half as large again or less from step to step."""
    dice = np.random.default_rng(seed)
    return np.array([[1e-3], [1.0], [30.0]]) * np.exp(0.3 * dice.standard_normal((3, steps)))


def told(found: LayerDifference | None) -> tuple[str, str, int, int] | None:
    return None if found is None else (found.layer, found.stat, found.step, found.layers)


def test_layers_that_are_the_same_differ_nowhere_and_go_the_same_way() -> None:
    both = [(heatmap(noisy()), heatmap(noisy()))]

    assert first_difference(both).found is None
    assert first_apart(both).found is None


@pytest.mark.parametrize("seed", range(8))
def test_layers_of_another_seed_differ_from_the_start_and_go_the_same_way(seed: int) -> None:
    both = [(heatmap(noisy(seed + 100)), heatmap(noisy(seed)))]

    assert told(first_difference(both).found) == ("embed", "grad_norm", 0, 3)
    assert first_apart(both).found is None


def test_the_first_to_differ_is_of_the_first_step_then_of_the_first_stat_then_the_first_in_the_model() -> None:
    before = noisy()
    gradients, updates = before.copy(), before.copy()
    gradients[1:, 7:] *= 1 + 1e-6
    updates[:, 7:] *= 1 + 1e-6
    weights = before.copy()
    weights[0, 8:] = 1.0

    found = first_difference(
        [
            (heatmap(of, stat=stat), heatmap(before, stat=stat))
            for stat, of in [("grad_norm", gradients), ("update_ratio", updates), ("weight_norm", weights)]
        ]
    ).found

    assert told(found) == ("body", "grad_norm", 7, 2)


@pytest.mark.parametrize("at", [40, 100, 150])
@pytest.mark.parametrize("factor", [5.0, 0.1])
def test_a_layer_that_goes_another_way_is_found_where_it_leaves(at: int, factor: float) -> None:
    before, now = noisy(0), noisy(1)
    now[1, at:] *= factor

    found = first_apart([(heatmap(now), heatmap(before))]).found

    assert found is not None
    assert (found.layer, found.layers) == ("body", 1)
    assert at - 10 <= found.step <= at + 10


def test_a_layer_that_leaves_soon_is_the_same_before() -> None:
    before = noisy(0)
    now = before.copy()
    now[1, 2:] *= 50

    found = first_apart([(heatmap(now), heatmap(before))]).found

    assert told(found) == ("body", "grad_norm", 2, 1)


def test_of_layers_that_leave_together_the_first_is_told_and_how_many_there_are() -> None:
    before, now = noisy(0), noisy(1)
    now[:, 100:] *= 10

    found = first_apart([(heatmap(now), heatmap(before))]).found

    assert found is not None
    assert (found.layer, found.layers) == ("embed", 3)


def test_a_layer_that_comes_back_has_not_gone_another_way() -> None:
    before, now = noisy(0), noisy(1)
    now[1, 50:100] *= 10

    assert first_apart([(heatmap(now), heatmap(before))]).found is None


def test_what_is_not_finite_is_another_way_and_said_in_words() -> None:
    before, now = noisy(0), noisy(1)
    now[2, 120:] = math.inf

    found = first_apart([(heatmap(now), heatmap(before))]).found

    assert found is not None
    assert (found.layer, found.now) == ("head", "Infinity")
    assert 110 <= found.step <= 125


def test_runs_that_were_sampled_at_other_steps_are_compared_between_them() -> None:
    before, now = noisy(0, steps=40), noisy(1)
    now[1, 100:] *= 5

    found = first_apart([(heatmap(now), heatmap(before, every=5))]).found

    assert found is not None
    assert found.layer == "body"
    assert 90 <= found.step <= 110


def test_of_other_models_the_layers_that_both_have_are_compared() -> None:
    before, now = noisy(0), noisy(1)
    now[2, 100:] *= 5

    found = first_apart([(heatmap(now[1:], layers=LAYERS[1:]), heatmap(before[::-1], layers=LAYERS[::-1]))]).found

    assert found is not None
    assert found.layer == "head"


@pytest.mark.parametrize("odd", [math.inf, 0.0, 1e6])
def test_one_odd_value_near_the_end_is_no_other_way(odd: float) -> None:
    before, now = noisy(0), noisy(1)
    now[1, 197] = odd

    assert first_apart([(heatmap(now), heatmap(before))]).found is None


def test_what_one_run_alone_tells_is_not_compared() -> None:
    before, now = noisy(0), noisy(0)
    before[1, :120] = math.nan  # frozen until then
    now[0] = math.nan

    both = [(heatmap(now), heatmap(before))]
    assert first_difference(both).found is None
    assert first_difference(both).until == STEPS - 1
    assert first_apart(both).found is None


@pytest.mark.parametrize("values", [np.empty((3, 0)), np.full((3, 50), math.nan)])
def test_where_nothing_is_told_nothing_was_compared(values: NDArray[Any]) -> None:
    both = [(heatmap(values), heatmap(noisy()))]

    assert (first_difference(both).until, first_apart(both).until) == (None, None)


def test_models_without_a_layer_in_common_are_not_compared() -> None:
    both = [(heatmap(noisy()), heatmap(noisy(), layers=["a", "b", "c"]))]

    assert (first_difference(both).until, first_apart(both).until) == (None, None)


def test_zeros_are_the_same_and_a_few_columns_tell_of_no_way() -> None:
    zeros, few = np.zeros((3, 50)), [(heatmap(noisy(0, steps=3)), heatmap(noisy(1, steps=3)))]

    assert first_apart([(heatmap(zeros), heatmap(zeros))]).found is None
    assert first_apart(few).until is None
