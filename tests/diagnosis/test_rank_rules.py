"""Rules of several ranks speak where one of them is ill, and not where ranks differ as healthy ones do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trainvitals.wire.messages import LayerInfo
from trainvitals_server.diagnosis.catalogue import rules
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import RankSeries, Series, Window

STEPS = 200
PHASES = {"seconds/data": 0.02, "seconds/forward": 0.1, "seconds/backward": 0.2, "seconds/optimizer": 0.02}


def noise(ranks: int, *, seed: int = 0, points: int = STEPS) -> Any:
    return np.random.default_rng(seed).standard_normal((ranks, points))


def losses(ranks: int, *, noisy: float = 0.1) -> Any:
    """A falling loss, each rank's with the scatter of its own batches."""
    return 0.5 + 2 * np.exp(-np.arange(STEPS) / 40) + noisy * noise(ranks)


def times(ranks: int, phase: str, *, noisy: float = 0.2) -> Any:
    return PHASES[phase] * (1 + noisy * np.abs(noise(ranks, seed=1)))


def window(**told: Any) -> Window:
    """What each rank recorded, [ranks, n], of metrics with "_" for "/"; the first half of the run and all of it."""
    names = {key: key.replace("seconds_", "seconds/") for key in told}
    series = {names[key]: np.asarray(values, np.float32) for key, values in told.items()}
    steps = np.arange(STEPS, dtype=np.int64)
    return Window(
        run_id="r",
        step=STEPS - 1,
        metrics={
            **{name: Series(steps=steps, values=np.full(STEPS, usual, np.float32)) for name, usual in PHASES.items()},
            **{name: Series(steps=steps, values=values[0]) for name, values in series.items()},
        },
        ranks={
            name: RankSeries(ranks=tuple(range(len(of))), steps=steps, values=of, present=~np.isnan(of))
            for name, of in series.items()
        },
    )


def found(rule: str, seen: Window) -> list[Symptom]:
    return list(rules()[rule](seen))


@pytest.mark.parametrize("ranks", [2, 8])
@pytest.mark.parametrize("phase", ["seconds_data", "seconds_forward"])
def test_a_rank_that_all_others_wait_for_is_named(ranks: int, phase: str) -> None:
    seconds = times(ranks, phase.replace("_", "/"))
    seconds[1] += 0.15
    (symptom,) = found("slow_rank", window(**{phase: seconds}))
    assert symptom.evidence.numbers["rank"] == 1
    assert "Rank 1" in symptom.summary
    assert "wait for" in symptom.summary


def test_no_rank_is_slow_for_noise_warm_up_or_what_rank_0_does_now_and_then() -> None:
    seconds = times(4, "seconds/data", noisy=1.0)
    seconds[2, :40] += 1.0  # it began later
    seconds[0, ::10] += 5.0  # evaluates and saves
    assert found("slow_rank", window(seconds_data=seconds)) == []


def test_what_rank_0_does_between_all_steps_is_not_told_from_waiting_and_not_judged() -> None:
    seconds = times(4, "seconds/data")
    seconds[0] += 0.3
    assert found("slow_rank", window(seconds_data=seconds)) == []


def test_losses_near_zero_that_differ_by_factors_are_no_outliers() -> None:
    told = losses(4, noisy=0.0)
    told[:, 40:] = 1e-4 * (1 + 0.1 * np.abs(noise(4, points=STEPS - 40)))
    told[2, 40:] *= 20
    assert found("rank_outlier", window(loss=told)) == []


def test_a_rank_with_other_data_is_named() -> None:
    told = losses(4)
    told[3] += 0.4
    (symptom,) = found("rank_outlier", window(loss=told))
    assert symptom.summary.startswith("The loss of rank 3 stays above that of the other 3 ranks")


@pytest.mark.parametrize("noisy", [0.05, 1.0])
def test_ranks_of_one_kind_are_no_outliers_however_noisy_their_batches(noisy: float) -> None:
    assert found("rank_outlier", window(loss=losses(8, noisy=noisy))) == []


def test_shards_that_differ_among_each_other_are_no_outliers() -> None:
    told = losses(8) * (1 + 0.1 * np.random.default_rng(2).standard_normal((8, 1)))
    assert found("rank_outlier", window(loss=told)) == []


def test_of_two_ranks_none_is_the_outlier() -> None:
    told = losses(2)
    told[1] += 1.0
    assert found("rank_outlier", window(loss=told)) == []


def test_ranks_that_train_apart_are_told() -> None:
    norms = 1 + 0.2 * np.abs(noise(4, seed=3))
    (symptom,) = found("gradients_not_shared", window(loss=losses(4), grad_norm=norms))
    assert symptom.severity == "critical"


def test_gradients_that_were_averaged_are_silent() -> None:
    norms = np.broadcast_to(1 + 0.2 * np.abs(noise(1, seed=3)), (4, STEPS)) * (1 + 1e-5 * noise(4))
    assert found("gradients_not_shared", window(loss=losses(4), grad_norm=norms)) == []


def test_ranks_that_hold_parts_of_one_model_have_gradients_of_their_own() -> None:
    together = np.broadcast_to(losses(1), (4, STEPS))
    assert found("gradients_not_shared", window(loss=together, grad_norm=1 + np.abs(noise(4)))) == []
    last_alone = np.where(np.arange(4)[:, None] == 3, losses(4), np.nan)
    last_alone[0] = losses(1)
    assert found("gradients_not_shared", window(loss=last_alone, grad_norm=1 + np.abs(noise(4)))) == []


@pytest.mark.parametrize(
    "layer",
    [LayerInfo(name="", kind="FullyShardedDataParallel"), LayerInfo(name="_fsdp_wrapped_module.0", kind="Linear")],
)
def test_shards_have_norms_of_their_own(layer: LayerInfo) -> None:
    seen = window(loss=losses(4), grad_norm=1 + np.abs(noise(4)))
    assert found("gradients_not_shared", replace(seen, info={layer.name: layer})) == []


def test_a_loss_that_is_not_finite_in_one_rank_is_told_of_that_rank() -> None:
    told = losses(4)
    seen = window(loss=told)
    ranks = seen.ranks["loss"]
    values = ranks.values.copy()
    values[2, 150:] = np.nan
    ill = RankSeries(ranks=ranks.ranks, steps=ranks.steps, values=values, present=np.ones_like(ranks.present))
    mean = Series(steps=ranks.steps, values=values.mean(axis=0))
    (symptom,) = found(
        "non_finite_values",
        Window(run_id="r", step=STEPS - 1, metrics={"loss": mean}, ranks={"loss": ill}),
    )
    assert symptom.summary.startswith("The loss of rank 2 is NaN or infinite at step 150")


def test_a_single_process_has_no_ranks_to_compare() -> None:
    alone = Window(run_id="r", step=STEPS - 1, metrics=window(loss=losses(1)).metrics)
    assert [
        symptom for rule in ("slow_rank", "rank_outlier", "gradients_not_shared") for symptom in found(rule, alone)
    ] == []
