"""The plan by which ranks sample the same steps: changes hold from a step on that all of them hear of in time."""

from __future__ import annotations

import math

import pytest

from trainvitals.collector.agreed_sampling import AgreedSampling
from trainvitals.collector.plan import LEAD_SECONDS, Plan, Turn
from trainvitals.collector.sampling import FIRST_DENSE, FIRST_INTERVAL, FIRST_SNAPSHOTS, FIRST_STEPS

STEP_SECONDS = 0.1
LEAD = math.ceil(LEAD_SECONDS / STEP_SECONDS)


def sampling(
    plan: Plan, *, leads: bool = True, every: int | None = None, budget: float = 0.02, dense: int | None = None
) -> AgreedSampling:
    return AgreedSampling(plan, leads=leads, every=every, budget=budget, dense=dense)


def taken(of: AgreedSampling, steps: range) -> list[int]:
    return [step for step in steps if of.take(step)]


def test_a_change_begins_after_all_have_heard_of_it() -> None:
    plan = Plan(10)
    plan.change(step=100, interval=50, step_seconds=STEP_SECONDS)
    first = plan.turns[-1].first_step
    assert first >= 100 + LEAD
    assert plan.interval_at(first - 1) == 10
    assert plan.interval_at(first) == 50


def test_a_capture_goes_over_by_itself() -> None:
    plan = Plan(10)
    plan.change(step=100, interval=1, step_seconds=STEP_SECONDS, for_steps=20)
    first = plan.turns[-2].first_step
    assert [plan.interval_at(step) for step in (first - 1, first, first + 19, first + 20)] == [10, 1, 1, 10]
    assert plan.usual == 10


def test_what_is_over_is_forgotten_and_what_comes_is_kept_in_order() -> None:
    plan = Plan(10)
    plan.change(step=100, interval=1, step_seconds=STEP_SECONDS, for_steps=20)
    plan.change(step=101, interval=20, step_seconds=STEP_SECONDS)
    firsts = [turn.first_step for turn in plan.turns]
    assert firsts == sorted(firsts)
    assert plan.usual == 20
    plan.change(step=5_000, interval=50, step_seconds=STEP_SECONDS)
    assert [turn.interval for turn in plan.turns] == [20, 50]


def test_a_step_from_before_the_plan_that_is_known_has_its_first_interval() -> None:
    plan = Plan(10)
    plan.turns = (Turn(200, 20),)
    assert plan.interval_at(150) == 20


def test_ranks_that_follow_one_plan_sample_the_same_steps_and_look_in_depth_at_the_same() -> None:
    plan = Plan(10)
    leader, follower = sampling(plan), sampling(plan, leads=False)
    depths: list[list[bool]] = [[], []]
    for step in range(300):
        if step == 40:
            plan.change(step=step, interval=20, step_seconds=STEP_SECONDS)
        for rank, of in enumerate((leader, follower)):
            if of.take(step):
                depths[rank].append(of.looks_in_depth())
                of.note(step, cost_seconds=0.01 * (rank + 1), step_seconds=0.0)  # no time is known yet
    assert depths[0] == depths[1]
    assert 0 < sum(depths[0]) < len(depths[0])


def test_the_leader_changes_the_plan_by_what_snapshots_cost() -> None:
    plan = Plan(10)
    of = sampling(plan)
    for step in taken(of, range(200)):
        of.note(step, cost_seconds=0.5 * STEP_SECONDS, step_seconds=STEP_SECONDS)
    assert 20 <= plan.usual < 50  # where half a step would be, were it not for the first thousand steps
    assert plan.turns[-1].first_step > LEAD


def test_a_rank_that_does_not_lead_changes_nothing() -> None:
    plan = Plan(10)
    of = sampling(plan, leads=False)
    for step in taken(of, range(200)):
        of.note(step, cost_seconds=STEP_SECONDS, step_seconds=STEP_SECONDS)
    of.capture(200)
    assert plan.turns == (Turn(0, 10),)


def test_a_fixed_interval_stays() -> None:
    plan = Plan(5)
    of = sampling(plan, every=5)
    steps = taken(of, range(100))
    for step in steps:
        of.note(step, cost_seconds=STEP_SECONDS, step_seconds=STEP_SECONDS)
    assert steps == [*range(50), *range(50, 100, 5)]
    assert plan.turns == (Turn(0, 5),)


@pytest.mark.parametrize("step_seconds", [1e-4, 0.01, 1.0, 60.0])
@pytest.mark.parametrize("cost", [0.0, 0.14, 1000.0])
@pytest.mark.parametrize("budget", [0.0001, 0.02])
@pytest.mark.parametrize("dense", [None, 0])
def test_a_thousand_steps_have_fifty_snapshots_of_all_ranks_however_dear(
    step_seconds: float, cost: float, budget: float, dense: int | None
) -> None:
    plan = Plan(FIRST_INTERVAL)
    ranks = [sampling(plan, leads=leads, budget=budget, dense=dense) for leads in (True, False)]
    both: list[int] = []
    for step in range(FIRST_STEPS):
        if all(of.take(step) for of in ranks):
            both.append(step)
            for of in ranks:
                of.note(step, cost_seconds=cost * step_seconds, step_seconds=step_seconds)
    assert len(both) >= FIRST_SNAPSHOTS


@pytest.mark.parametrize(("dense", "until"), [(0, 0), (25, 25), (None, FIRST_DENSE[0])])
def test_as_many_of_the_first_steps_are_sampled_as_are_asked_for(dense: int | None, until: int) -> None:
    steps = taken(sampling(Plan(FIRST_INTERVAL), dense=dense), range(50))
    assert steps == [step for step in range(50) if step < until or step % FIRST_INTERVAL == 0]


def test_no_dense_start_beside_a_fixed_interval_is_none() -> None:
    assert taken(sampling(Plan(7), every=7, dense=0), range(30)) == [0, 7, 14, 21, 28]


def test_captures_come_in_no_swarm() -> None:
    plan = Plan(10)
    of = sampling(plan)
    of.note(100, cost_seconds=0.0, step_seconds=STEP_SECONDS)
    of.capture(100)
    after_one = plan.turns
    of.capture(101)
    assert plan.turns == after_one
