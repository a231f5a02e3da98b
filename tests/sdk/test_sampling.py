"""Which steps are sampled, on a clock that is told how long everything takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

import trainvitals
from trainvitals.collector.sampling import CAPTURE_PAUSE, FIRST_DENSE, FIRST_STEPS, MAX_FIRST_INTERVAL, Sampling

STEP_SECONDS = 0.01
LEAST, MOST = FIRST_DENSE
Cost = Callable[[int, Sampling], float]  # of the snapshot at a step, in seconds


def always(*, steps: float) -> Cost:
    """What so many steps take."""
    return lambda step, sampling: steps * STEP_SECONDS


def of_three_sorts(step: int, sampling: Sampling) -> float:
    """Looking in depth costs three times as much, histograms nine times."""
    steps = 0.9 if sampling.takes_histograms() else 0.3 if sampling.looks_in_depth() else 0.1
    return steps * STEP_SECONDS


@dataclass
class Training:
    """A training with its sampled steps, and the seconds that each snapshot has cost."""

    sampling: Sampling
    step: int = 0

    def __post_init__(self) -> None:
        self.costs: dict[int, float] = {}

    def go_on(self, until: int, cost: Cost) -> None:
        for step in range(self.step, until):
            if self.sampling.take(step):
                self.costs[step] = cost(step, self.sampling)
                self.sampling.note(step, cost_seconds=self.costs[step], step_seconds=STEP_SECONDS)
        self.step = until

    def share(self, start: int, end: int) -> float:
        """Of the time of these steps, what their snapshots have cost."""
        spent = sum(seconds for step, seconds in self.costs.items() if start <= step < end)
        return spent / (spent + (end - start) * STEP_SECONDS)

    def dense_steps(self) -> int:
        return next(step for step in range(self.step) if step not in self.costs)


def train(cost: Cost, *, steps: int, every: int | None = None, budget: float = 0.02, dense: int | None = None) -> Any:
    training = Training(Sampling(every=every, budget=budget, dense=dense))
    training.go_on(steps, cost)
    return training


@pytest.mark.parametrize("steps", [0.0, 0.01, 0.3, 3.0, 1000.0])
@pytest.mark.parametrize("budget", [0.0001, 0.02, 1.0])
@pytest.mark.parametrize("dense", [None, 0, 200])
def test_a_thousand_steps_have_fifty_snapshots_however_dear(steps: float, budget: float, dense: int | None) -> None:
    training = train(always(steps=steps), steps=FIRST_STEPS, budget=budget, dense=dense)
    assert len(training.costs) >= 50
    sampled = sorted(training.costs)
    assert max(later - step for step, later in pairwise(sampled)) <= MAX_FIRST_INTERVAL


@pytest.mark.parametrize("steps", [0.05, 0.3, 0.6])
def test_ranks_that_choose_by_costs_of_their_own_sample_many_of_the_same_steps(steps: float) -> None:
    ranks = [Training(Sampling(every=None, budget=0.02, is_alone=False)) for _ in range(2)]
    for training, cost in zip(ranks, (1.0, steps), strict=True):
        training.go_on(FIRST_STEPS, always(steps=cost))
    common = set.intersection(*(set(training.costs) for training in ranks))

    assert len([step for step in common if step > MOST]) >= 15
    assert all(len(training.costs) >= 50 for training in ranks)


def test_what_every_step_costs_is_left_to_snapshots_no_more() -> None:
    cheap, dear = (Sampling(every=None, budget=0.02) for _ in range(2))
    for sampling, always_seconds in ((cheap, 0.0), (dear, 0.01 * STEP_SECONDS)):
        for step in range(MOST):
            sampling.note(
                step, cost_seconds=0.14 * STEP_SECONDS, step_seconds=STEP_SECONDS, always_seconds=always_seconds
            )
    assert (cheap.interval, dear.interval) == (10, 20)


@pytest.mark.parametrize("cost", [always(steps=0.001), always(steps=0.05), always(steps=0.29), of_three_sorts])
@pytest.mark.parametrize("budget", [0.02, 0.05])
def test_snapshots_stay_within_the_budget_after_the_dense_start(cost: Cost, budget: float) -> None:
    training = train(cost, steps=10_000, budget=budget)
    for start in range(MOST, 9_000, 1000):
        assert training.share(start, start + 1000) <= budget
    assert training.share(0, FIRST_STEPS) <= 2 * budget  # the dense start takes as much again at the most


@pytest.mark.parametrize("steps", [0.31, 0.5, 1.0, 1.4, 2.5, 5.0, 14.0])
def test_dear_snapshots_come_within_the_budget_when_the_first_thousand_steps_are_over(steps: float) -> None:
    training = train(always(steps=steps), steps=10_000)
    for start in range(FIRST_STEPS + MAX_FIRST_INTERVAL, 9_000, 1000):
        assert training.share(start, start + 1000) <= 0.02


def test_what_is_dearer_than_any_budget_is_still_sampled_every_thousandth_step() -> None:
    training = train(always(steps=1000.0), steps=9000)
    assert [step for step in training.costs if step >= 2000] == list(range(2000, 9000, 1000))


def test_a_snapshot_that_was_held_up_once_does_not_make_the_next_ones_rare() -> None:
    training = train(lambda step, _: (1000.0 if step == 2000 else 0.1) * STEP_SECONDS, steps=4000)
    assert len([step for step in training.costs if step >= 2100]) >= 90


@pytest.mark.parametrize(("steps", "dense"), [(0.02, MOST), (0.1, MOST), (0.5, 20), (5.0, LEAST), (1000.0, LEAST)])
def test_the_start_is_dense_for_ten_to_fifty_steps_by_what_they_cost(steps: float, dense: int) -> None:
    assert train(always(steps=steps), steps=FIRST_STEPS).dense_steps() == pytest.approx(dense, abs=1)


def test_a_fixed_interval_is_kept_whatever_it_costs() -> None:
    training = train(always(steps=1000.0), steps=300, every=7)
    assert sorted(training.costs) == [step for step in range(300) if step < MOST or step % 7 == 0]


def test_snapshots_that_become_cheap_come_more_often_again_and_dear_ones_less() -> None:
    training = Training(Sampling(every=None, budget=0.02))
    seen = []
    for until, steps in ((3000, 1.4), (6000, 0.01), (9000, 1.4)):
        training.go_on(until, always(steps=steps))
        seen.append(training.sampling.interval)
    assert seen == [100, 1, 100]


def test_an_interval_does_not_go_back_and_forth_at_its_border() -> None:
    training = Training(Sampling(every=None, budget=0.02))
    training.go_on(2000, always(steps=0.16))
    intervals = []
    for until in range(2100, 6000, 100):
        training.go_on(until, always(steps=0.16 if until % 200 else 0.14))  # 10.7 and 9.3 steps apart would do
        intervals.append(training.sampling.interval)
    assert set(intervals) == {20}


def test_a_capture_samples_the_next_twenty_steps_and_the_usual_ones_after_them() -> None:
    training = train(always(steps=1.4), steps=2003)
    assert training.sampling.capture(2003) == ("begun", 2003)
    training.go_on(2200, always(steps=1.4))
    assert [step for step in training.costs if step >= 2003] == [*range(2003, 2023), 2100]


def test_a_capture_that_comes_too_soon_is_told_when_it_may_come() -> None:
    training = train(always(steps=0.1), steps=2003)
    training.sampling.capture(2003)
    training.go_on(2100, always(steps=0.1))
    assert training.sampling.capture(2100) == ("too soon", 2003 + CAPTURE_PAUSE)
    assert training.sampling.capture(2003 + CAPTURE_PAUSE) == ("begun", 2003 + CAPTURE_PAUSE)


def test_looks_in_depth_and_histograms_come_at_every_fifth_and_tenth_snapshot() -> None:
    sampling = Sampling(every=1, budget=0.02)
    seen = []
    for step in range(20):
        sampling.take(step)
        seen.append((sampling.looks_in_depth(), sampling.takes_histograms()))
        sampling.note(step, cost_seconds=0.001, step_seconds=STEP_SECONDS)
    assert [step for step, (in_depth, _) in enumerate(seen) if in_depth] == [0, 5, 10, 15]
    assert [step for step, (_, histograms) in enumerate(seen) if histograms] == [0, 10]


class TestOfAWatch:
    """By the real clock: what a snapshot costs lies far between what both budgets allow. A small one leaves 40 of the
    first thousand steps to be sampled after the dense start, one in 24."""

    def steps(self, offline: Any, **options: Any) -> list[int]:
        model = nn.Sequential(nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        run = offline.init()
        run.watch(model, optimizer, **options)
        for _ in range(70):
            optimizer.zero_grad()
            model(torch.ones(512, 256)).square().mean().backward()
            optimizer.step()
        run.finish()
        return [step for step, _ in offline.points("lr")]

    def test_a_large_budget_pays_for_a_long_dense_start(self, offline: Any) -> None:
        assert self.steps(offline, budget=1.0)[:MOST] == list(range(MOST))

    def test_a_small_budget_ends_the_dense_start_as_early_as_may_be(self, offline: Any) -> None:
        assert self.steps(offline, budget=1e-5) == [*range(LEAST), 24, 48]

    def test_the_environment_s_budget_is_taken_where_the_script_names_none(
        self, offline: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TRAINVITALS_BUDGET", "0.00001")
        assert self.steps(offline) == [*range(LEAST), 24, 48]

    @pytest.mark.parametrize("budget", [0, -0.1, 1.5])
    def test_a_budget_that_is_no_share_is_refused(self, offline: Any, budget: float) -> None:
        model = nn.Linear(1, 1)
        run: trainvitals.Run = offline.init()
        with pytest.raises(ValueError, match="share of the training's time"):
            run.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), budget=budget)
        run.finish()
