"""What sharded models are told of with a scaler, in two precisions, and compiled."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from tests.sdk.conftest import metric_points, stats_at
from tests.sdk.distributed_training import SKIPPED, STEPS
from tests.sdk.several_ranks import Trained, frames, train_both
from tests.sdk.small_models import CLOSE

IN_BFLOAT16 = 0.05  # which has eight bits of a number; so far apart are two trainings after a few steps
OF_THE_OUTPUTS = {
    "activation_mean", "activation_std", "activation_max", "activation_nonfinite", "zero_fraction", "saturated_fraction"
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trained]:
    """trained(how), each of them once."""
    return functools.cache(lambda how: train_both(how, tmp_path_factory.mktemp(how)))


@pytest.mark.slow
def test_of_a_sharded_model_a_step_that_the_scaler_skips_is_skipped_and_known_by_every_rank(
    trained: Callable[[str], Trained],
) -> None:
    one, several = trained("scaled").one, trained("scaled").several
    for rank, records in several.items():
        for metric in ("loss_scale", "skipped_steps"):
            assert metric_points(frames(records), metric) == metric_points(one, metric), (metric, rank)
        taken = [loss for step, loss in enumerate(trained("scaled").unwatched[rank]) if step != SKIPPED]
        told = dict(
            metric_points(frames(records), "loss")
        )  # a loss that was logged before the step was skipped gives way
        assert told == dict(enumerate(taken)), rank
    assert [skipped for _, skipped in metric_points(one, "skipped_steps")] == [0] * SKIPPED + [1] * (
        STEPS - 1 - SKIPPED
    )
    for step in range(STEPS - 1):
        expected_stats, found = stats_at(one, step), stats_at(frames(several[0]), step)
        assert found.keys() == expected_stats.keys() >= {"grad_norm", "update_ratio"}
        for stat in expected_stats.keys() - OF_THE_OUTPUTS:
            assert found[stat] == pytest.approx(expected_stats[stat], rel=1e-3, abs=1e-7, nan_ok=True), (step, stat)


@pytest.mark.slow
def test_rank_0_tells_of_a_model_that_is_sharded_and_computes_in_bfloat16_about_what_one_process_would(
    trained: Callable[[str], Trained],
) -> None:
    one, several = trained("mixed").one, frames(trained("mixed").several[0])
    for step in range(STEPS):
        expected, found = stats_at(one, step), stats_at(several, step)
        assert found.keys() == expected.keys()
        for stat in ("grad_norm", "weight_norm", "update_ratio"):
            assert found[stat] == pytest.approx(expected[stat], rel=IN_BFLOAT16, nan_ok=True), (step, stat)


@pytest.mark.slow
def test_rank_0_tells_of_a_model_that_is_sharded_and_compiled_all_but_outputs(
    trained: Callable[[str], Trained],
) -> None:
    one, several = trained("compiled").one, frames(trained("compiled").several[0])
    for step in (0, 1, 5):
        expected, found = stats_at(one, step), stats_at(several, step)
        assert expected.keys() - found.keys() == OF_THE_OUTPUTS
        for stat, layers in found.items():
            assert layers == pytest.approx(expected[stat], rel=1e-3, abs=1e-7, nan_ok=True), (step, stat)
    norms, of_one = (metric_points(found, "grad_norm") for found in (several, one))
    assert norms == [(step, pytest.approx(norm, rel=CLOSE)) for step, norm in of_one]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["mixed", "compiled"])
def test_losses_are_bit_identical_with_and_without_watching(trained: Callable[[str], Trained], how: str) -> None:
    for rank, losses in trained(how).unwatched.items():
        assert metric_points(frames(trained(how).several[rank]), "loss") == list(enumerate(losses))
