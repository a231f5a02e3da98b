"""Ranks of one run at the store: who describes it, who ends it, and what each of them recorded."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations

import numpy as np
import pytest

from tests.store.sample_frames import RUN, WHOLE, floats, merge_all, received, start
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, MetricPoints
from trainvitals.wire.messages import RunEnd, RunStart
from trainvitals_server.store.catalogue import MOST_LAYOUTS_OF_OTHERS, MOST_SERIES, MOST_SERIES_OF_OTHERS
from trainvitals_server.store.interface import ReceivedFrame, RunNotFound, RunQuery, Store, TooManySeries

LEADER = RunStart(
    project="p", name="led", started_at=10.0, config={"lr": 1}, tags=["a"], group="g", planned_steps=9, ranks=4
)
OTHER = RunStart(project="other", name="followed", started_at=12.0, config={"lr": 2}, rank=2, ranks=3)


def begin(store: Store, *starts: RunStart, run_id: str = RUN) -> None:
    for one in starts:
        store.start_run(run_id, one, now=20.0)


def told(store: Store) -> tuple[object, ...]:
    detail = store.run(RUN)
    summary = detail.summary
    return (summary.project, summary.name, summary.created_at, summary.tags, summary.group, summary.ranks,
            detail.config, detail.planned_steps)  # fmt: skip


def rank_frame(rank: int, seq: int, points: dict[int, float], *, metric: str = "loss") -> ReceivedFrame:
    values = MetricPoints(metric=metric, steps=list(points), values=Floats.of(points.values()))
    return received(Frame(run_id=RUN, writer=100 + rank, seq=seq, rank=rank, metrics=[values]))


@pytest.mark.parametrize("order", list(permutations([LEADER, OTHER, OTHER])))
def test_the_words_of_rank_0_count_whenever_they_come(store: Store, order: tuple[RunStart, ...]) -> None:
    begin(store, *order)
    assert told(store) == ("p", "led", 10.0, ["a"], "g", 4, {"lr": 1}, 9)
    assert store.runs(RunQuery(text="led")).total == 1
    assert store.runs(RunQuery(text="followed")).total == 0


def test_among_other_ranks_the_first_that_came_counts(store: Store) -> None:
    assert store.start_run(RUN, OTHER, now=20.0) is True
    assert store.start_run(RUN, RunStart(project="p", name="late", started_at=1.0, rank=1, ranks=9), now=20.0) is False
    assert told(store)[:3] == ("other", "followed", 12.0)
    assert store.run(RUN).summary.ranks == 3


def test_a_rank_beyond_what_is_said_makes_for_more_ranks(store: Store) -> None:
    begin(store, RunStart(project="p", name="n", started_at=1.0, rank=5))
    assert store.run(RUN).summary.ranks == 6


def test_a_run_is_of_one_rank_unless_something_else_is_said(store: Store) -> None:
    start(store)
    assert store.run(RUN).summary.ranks == 1


def test_the_end_of_another_rank_ends_nothing(store: Store) -> None:
    begin(store, LEADER)
    assert store.end_run(RUN, RunEnd(status="finished", ended_at=30.0, rank=1)) is False
    assert store.end_run(RUN, RunEnd(status="stopped", ended_at=30.0, rank=2, last_step=70)) is False
    summary = store.run(RUN).summary
    assert (summary.status, summary.ended_at, summary.last_step) == ("running", None, 70)
    assert store.unjudged() == []

    assert store.end_run(RUN, RunEnd(status="finished", ended_at=31.0)) is True
    store.save_findings(RUN, [], health=100, is_last=True)
    assert store.end_run(RUN, RunEnd(status="stopped", ended_at=32.0, rank=3)) is True  # over it was before
    summary = store.run(RUN).summary
    assert (summary.status, summary.ended_at) == ("finished", 31.0)
    assert store.unjudged() == [RUN]  # with what this rank may have shipped


@pytest.mark.parametrize("status", ["stopped", "finished", "failed"])
@pytest.mark.parametrize("leads", [True, False])
def test_the_failure_of_any_rank_fails_the_run_and_stays(store: Store, status: str, leads: bool) -> None:
    """Whichever came first; what rank 0 itself failed of is told where it came first."""
    begin(store, LEADER)
    ends = [
        RunEnd(status="failed", ended_at=30.0, error="out of memory", rank=3),
        RunEnd(status=status, ended_at=31.0, error="broken pipe"),  # type: ignore[arg-type]  # one of the three
    ]
    for end in reversed(ends) if leads else ends:
        store.end_run(RUN, end)
    detail = store.run(RUN)
    assert (detail.summary.status, detail.error, detail.summary.ended_at) == ("failed", "rank 3: out of memory", 30.0)


def test_of_several_failures_the_first_is_told_in_whatever_order_they_come(store: Store) -> None:
    failures = [RunEnd(status="failed", ended_at=30.0 + rank, error=f"e{rank}", rank=rank) for rank in (1, 2, 3)]
    for number, order in enumerate(permutations(failures)):
        begin(store, LEADER, run_id=f"run-{number}")
        for end in order:
            store.end_run(f"run-{number}", end)
        assert store.run(f"run-{number}").error == "rank 1: e1"


def test_a_failure_without_a_word_names_its_rank(store: Store) -> None:
    begin(store, LEADER)
    store.end_run(RUN, RunEnd(status="failed", ended_at=30.0, rank=3))
    assert store.run(RUN).error == "rank 3: failed"


def test_a_spool_that_comes_late_does_not_bring_an_ended_run_back(store: Store) -> None:
    begin(store, LEADER)
    store.end_run(RUN, RunEnd(status="finished", ended_at=30.0))
    begin(store, OTHER)
    store.append([rank_frame(2, 0, {1: 2.0})])
    store.end_run(RUN, RunEnd(status="stopped", ended_at=29.0, rank=2))
    assert store.run(RUN).summary.status == "finished"


def test_rank_0_that_comes_last_takes_no_failure_away(store: Store) -> None:
    begin(store, OTHER)
    store.end_run(RUN, RunEnd(status="failed", ended_at=30.0, error="e", rank=2))
    begin(store, LEADER, LEADER)
    store.end_run(RUN, RunEnd(status="stopped", ended_at=31.0))
    assert (store.run(RUN).summary.status, store.run(RUN).error) == ("failed", "rank 2: e")
    assert told(store)[1] == "led"


def test_a_run_that_rank_0_begins_anew_has_failed_no_more(store: Store) -> None:
    begin(store, LEADER)
    store.end_run(RUN, RunEnd(status="failed", ended_at=30.0, error="e", rank=2))
    begin(store, RunStart(project="p", name="led", started_at=40.0, ranks=4))
    assert (store.run(RUN).summary.status, store.run(RUN).error) == ("running", None)
    store.end_run(RUN, RunEnd(status="finished", ended_at=50.0))
    assert store.run(RUN).summary.status == "finished"


def test_any_rank_shows_that_a_run_is_not_lost(store: Store) -> None:
    begin(store, LEADER)
    assert store.mark_lost(silent_since=25.0) == [RUN]
    begin(store, OTHER)
    assert store.run(RUN).summary.status == "running"


def test_an_end_of_no_run_is_an_error(store: Store) -> None:
    with pytest.raises(RunNotFound):
        store.end_run("nobody", RunEnd(status="finished", ended_at=30.0, rank=1))


def test_tells_a_metric_of_every_rank_at_its_own_steps(store: Store) -> None:
    begin(store, LEADER)
    series = {rank: {step: rank + 1 / (1 + step) for step in range(rank, 40, rank + 1)} for rank in (0, 1, 3)}
    for rank, points in series.items():
        store.append([rank_frame(rank, 0, points)])
    store.append([rank_frame(3, 1, {5: 0.5}, metric="seconds/data"), rank_frame(0, 1, {5: 0.1}, metric="lr")])

    for _ in ("waiting", "merged"):
        found = store.rank_curves(RUN, "loss", points=100)
        assert (found.metric, found.metrics) == ("loss", ["loss", "seconds/data"])
        assert {curve.rank: curve.steps for curve in found.curves} == {
            rank: list(points) for rank, points in series.items()
        }
        for curve in found.curves:
            np.testing.assert_array_equal(floats(curve.mean), np.float32(list(series[curve.rank].values())))
            assert curve == store.metric_curve(RUN, "loss", span=WHOLE, points=100, rank=curve.rank)
        merge_all(store)


def test_thins_each_rank_as_it_would_alone(store: Store) -> None:
    begin(store, LEADER)
    rng = np.random.default_rng(3)
    for rank in range(4):
        for seq in range(5):
            steps = range(seq * 2000, (seq + 1) * 2000)
            values = [float("nan") if draw > 2.5 else draw for draw in rng.standard_normal(2000).tolist()]
            store.append([rank_frame(rank, seq, dict(zip(steps, values, strict=True)))])
        if rank != 2:
            merge_all(store)

    found = store.rank_curves(RUN, "loss", points=50)

    assert [curve.rank for curve in found.curves] == [0, 1, 2, 3]
    for curve in found.curves:
        assert len(curve.steps) <= 50
        assert curve == store.metric_curve(RUN, "loss", span=WHOLE, points=50, rank=curve.rank)


def test_what_is_called_otherwise_by_each_rank_is_found_by_a_pattern(store: Store) -> None:
    begin(store, LEADER)
    names = {0: ["gpu0_watts", "gpu0_bytes"], 1: ["gpu1_bytes", "gpu7_bytes"], 2: ["gpu2_watts"]}
    for rank, few in names.items():
        for seq, name in enumerate(few):
            store.append([rank_frame(rank, seq, {1: float(rank), 2: float(seq)}, metric=name)])

    for _ in ("waiting", "merged"):
        found = store.rank_curves(RUN, "gpu*_bytes", points=9)
        assert [(curve.rank, curve.metric, curve.mean.tolist()) for curve in found.curves] == [
            (0, "gpu0_bytes", [0.0, 1.0]),
            (1, "gpu1_bytes", [1.0, 0.0]),
        ]
        merge_all(store)


def test_a_metric_that_no_rank_recorded_has_no_curves(store: Store) -> None:
    begin(store, LEADER)
    store.append([rank_frame(1, 0, {1: 1.0})])
    found = store.rank_curves(RUN, "accuracy", points=9)
    assert (found.curves, found.metrics) == ([], ["loss"])
    with pytest.raises(RunNotFound):
        store.rank_curves("nobody", "loss", points=9)


def test_the_runs_own_metrics_and_newest_values_are_those_of_rank_0(store: Store) -> None:
    begin(store, LEADER)
    store.append([rank_frame(1, 0, {90: 7.0}), rank_frame(1, 1, {90: 1.0}, metric="of rank 1")])
    assert store.run(RUN).metrics == []
    store.append([rank_frame(0, 0, {80: 2.0})])
    store.append([rank_frame(1, 2, {95: 9.0})])

    detail = store.run(RUN)
    assert detail.metrics == ["loss"]
    assert (detail.summary.last["loss"].step, detail.summary.last["loss"].value) == (80, 2.0)
    assert detail.summary.sparkline.tolist() == [2.0]
    assert detail.summary.last_step == 95


def frame_of_names(rank: int, seq: int, names: Iterable[str]) -> ReceivedFrame:
    metrics = [MetricPoints(metric=name, steps=[seq], values=Floats.of([1.0])) for name in names]
    return received(Frame(run_id=RUN, writer=100 + rank, seq=seq, rank=rank, metrics=metrics))


def test_ranks_that_have_many_series_together_leave_room_for_rank_0_s(store: Store) -> None:
    begin(store, LEADER)
    names = [f"loss_{number}" for number in range(MOST_SERIES)]
    full = MOST_SERIES_OF_OTHERS // MOST_SERIES
    for rank in range(1, full + 1):
        assert store.append([frame_of_names(rank, 0, names)]) == [True]

    with pytest.raises(TooManySeries, match="10,000 series of rank 1,"):
        store.append([frame_of_names(1, 1, ["one more"])])
    with pytest.raises(TooManySeries, match="50,000 series of ranks other than 0"):
        store.append([frame_of_names(full + 1, 0, ["loss_0"])])
    assert store.append([frame_of_names(0, seq, [name]) for seq, name in enumerate(["loss", "val/loss"])]) == [True] * 2
    assert store.append([frame_of_names(1, 1, ["loss_1"])]) == [True]


def test_ranks_that_have_many_sets_of_layers_together_leave_room_for_rank_0_s(store: Store) -> None:
    begin(store, LEADER)
    ranks = range(1, MOST_LAYOUTS_OF_OTHERS + 1)
    assert store.append([frame_of_names(rank, 0, ["loss"]) for rank in ranks]) == [True] * len(ranks)

    with pytest.raises(TooManySeries, match="10,000 sets of layers of ranks other than 0"):
        store.append([frame_of_names(ranks.stop, 0, ["loss"])])
    assert store.append([frame_of_names(0, 0, ["loss"])]) == [True]
