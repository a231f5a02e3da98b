"""What every store promises, on each database."""

from __future__ import annotations

import random
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.store.sample_frames import (
    LAYERS,
    RUN,
    WHOLE,
    Truth,
    floats,
    layer_frame,
    merge_all,
    metric_frame,
    random_values,
    received,
    start,
)
from trainvitals.wire.answers import Curve
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, MetricPoints
from trainvitals.wire.messages import Finding, LayerInfo, ModelInfo, RunEnd
from trainvitals_server.store.catalogue import MOST_SERIES
from trainvitals_server.store.interface import RunNotFound, RunQuery, SeriesNotFound, Span, Store, TooManySeries


def test_keeps_a_frame_once_however_often_it_is_sent(store: Store) -> None:
    start(store)
    frame = metric_frame(0, [1, 2], [0.5, 0.25])

    assert store.append([frame, frame]) == [True, False]
    merge_all(store)
    assert store.append([frame]) == [False]

    assert store.metric_curve(RUN, "loss", span=WHOLE, points=10).steps == [1, 2]
    assert store.merge(force=True) == 0  # nothing waits


def test_gives_every_float_back_bit_by_bit(store: Store) -> None:
    start(store)
    odd_nan = np.frombuffer(b"\x01\x00\xc0\x7f", "<f4")[0]
    values = np.array([[np.nan, np.inf, -np.inf, -0.0, 1e-45, odd_nan]] * len(LAYERS), np.float32)
    store.append([layer_frame(0, range(6), values)])

    for _ in ("waiting", "merged"):
        curve = store.stat_curve(RUN, "grad_norm", "stem", span=WHOLE, points=100)
        assert curve.mean.data == curve.low.data == curve.high.data == values[0].tobytes()
        assert (curve.nonfinite, curve.bucket) == ([1, 1, 1, 0, 0, 1], 1)
        merge_all(store)


@pytest.mark.parametrize("seed", range(6))
def test_late_shuffled_and_repeated_frames_merged_at_any_moment_read_as_they_were_sent(store: Store, seed: int) -> None:
    start(store)
    rng, dice, truth = np.random.default_rng(seed), random.Random(seed), Truth()
    order = [(attempt, first) for attempt in range(3) for first in range(attempt * 700, 2000, 16)]
    dice.shuffle(order)
    for seq, (attempt, first) in enumerate(order):
        steps = sorted(dice.sample(range(first, first + 24), 16))
        values = random_values(rng, 16)
        frame = layer_frame(seq, steps, values, attempt=attempt)
        store.append([frame] * dice.choice([1, 1, 2]))
        truth.add(steps, values, attempt=attempt)
        if dice.random() < 0.04:
            store.merge(force=True)
        if seq % 67 == 0:
            _assert_reads_as(store, truth)
    merge_all(store)
    _assert_reads_as(store, truth)


def _assert_reads_as(store: Store, truth: Truth) -> None:
    steps, values = truth.visible()
    for row, layer in enumerate(LAYERS):
        curve = store.stat_curve(RUN, "grad_norm", layer, span=WHOLE, points=10_000)
        assert curve.steps == steps
        assert curve.mean.data == values[row].tobytes()
    thin = store.stat_curve(RUN, "grad_norm", LAYERS[0], span=WHOLE, points=20)
    _assert_buckets_of(thin.steps, thin.last_steps, steps, values[0], thin)
    picture = store.heatmap(RUN, "grad_norm", span=WHOLE, buckets=20)
    assert sum(picture.nonfinite) == int((~np.isfinite(values)).sum())
    snapshot = store.snapshot(RUN)
    assert snapshot is not None
    assert (snapshot.step, snapshot.stats["grad_norm"].data) == (steps[-1], values[:, -1].tobytes())


def _assert_buckets_of(
    first: list[int], last: list[int], steps: list[int], values: NDArray[np.float32], curve: Curve
) -> None:
    assert len(first) <= 20
    assert (first[0], last[-1]) == (steps[0], steps[-1])
    every = np.array(steps)
    for place, (low, high) in enumerate(zip(first, last, strict=True)):
        inside = values[(every >= low) & (every <= high)]
        good = inside[np.isfinite(inside)]
        assert curve.nonfinite[place] == len(inside) - len(good)
        if len(good):
            assert floats(curve.low)[place] == good.min()
            assert floats(curve.high)[place] == good.max()
            assert floats(curve.mean)[place] == pytest.approx(good.astype(float).mean(), rel=1e-5, abs=1e-6)


def test_a_whole_chunk_answers_with_exact_buckets(store: Store) -> None:
    start(store)
    values = random_values(np.random.default_rng(1), 12_000)
    values[0, 100:4000] = np.nan
    for seq, first in enumerate(range(0, 12_000, 3000)):
        store.append([layer_frame(seq, range(first, first + 3000), values[:, first : first + 3000])])
        merge_all(store)
    steps = list(range(12_000))

    for row, layer in enumerate(LAYERS):
        curve = store.stat_curve(RUN, "grad_norm", layer, span=WHOLE, points=20)
        _assert_buckets_of(curve.steps, curve.last_steps, steps, values[row], curve)
    zoomed = store.stat_curve(RUN, "grad_norm", "stem", span=Span(first=500, last=520), points=50)
    assert (zoomed.steps, zoomed.mean.data) == (steps[500:521], values[0, 500:521].tobytes())


def test_a_heatmap_is_what_numpy_makes_of_the_points(store: Store) -> None:
    start(store)
    values = random_values(np.random.default_rng(2), 9000)
    for seq, first in enumerate(range(0, 9000, 3000)):
        store.append(
            [layer_frame(seq, range(0 + first * 10, first * 10 + 30_000, 10), values[:, first : first + 3000])]
        )
        if seq < 2:
            merge_all(store)

    picture = store.heatmap(RUN, "grad_norm", span=WHOLE, buckets=60)

    starts = np.array(picture.steps) // 10
    clean = np.where(np.isfinite(values), values.astype(float), np.nan)
    edges = [*starts, 9000]
    mean = [[np.nanmean(row[a:b]) for a, b in pairwise(edges)] for row in clean]
    high = [[np.nanmax(row[a:b]) for a, b in pairwise(edges)] for row in clean]
    assert (picture.layers, picture.last_step, len(starts) <= 60) == (list(LAYERS), 89_990, True)
    np.testing.assert_allclose(floats(picture.mean), np.ravel(mean), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(floats(picture.high), np.float32(np.ravel(high)))
    bad = np.add.reduceat(~np.isfinite(values), starts, axis=1, dtype=int)
    assert picture.nonfinite == bad.ravel().tolist()


def test_a_resumed_attempt_hides_what_came_after_its_first_step(store: Store) -> None:
    start(store)
    store.append([metric_frame(0, range(100), np.arange(100.0))])
    merge_all(store)
    store.append([metric_frame(0, range(60, 70), np.zeros(10), attempt=1, writer=3)])

    assert store.metric_curve(RUN, "loss", span=WHOLE, points=500).steps == list(range(70))
    store.append([metric_frame(1, [50], [7.0], attempt=1, writer=3)])
    merge_all(store)

    curve = store.metric_curve(RUN, "loss", span=WHOLE, points=500)
    assert curve.steps == [*range(51), *range(60, 70)]
    assert store.run(RUN).summary.last_step == 69


def test_a_step_recorded_twice_keeps_the_value_received_last(store: Store) -> None:
    start(store)
    store.append([metric_frame(0, [5, 6, 5], [1.0, 2.0, 3.0])])
    assert store.metric_curve(RUN, "loss", span=WHOLE, points=9).mean.tolist() == [3.0, 2.0]
    merge_all(store)
    store.append([metric_frame(1, [6], [4.0])])

    assert store.metric_curve(RUN, "loss", span=WHOLE, points=9).mean.tolist() == [3.0, 4.0]


def test_a_changed_layout_adds_rows_and_continues_series(store: Store) -> None:
    start(store)
    store.append([layer_frame(0, [0, 10], np.ones((3, 2), np.float32))])
    merge_all(store)
    store.append([layer_frame(1, [20, 30], np.full((2, 2), 2, np.float32), layers=("head", "stem"))])

    for _ in ("waiting", "merged"):
        assert store.stat_curve(RUN, "grad_norm", "stem", span=WHOLE, points=9).mean.tolist() == [1, 1, 2, 2]
        picture = store.heatmap(RUN, "grad_norm", span=WHOLE, buckets=9)
        assert picture.layers == [*LAYERS, "head"]
        nan = np.nan
        expected = [[1, 1, 2, 2], [1, 1, nan, nan], [1, 1, nan, nan], [nan, nan, 2, 2]]
        np.testing.assert_array_equal(floats(picture.mean).reshape(4, 4), expected)
        merge_all(store)
    assert store.run(RUN).recorded_layers == [*LAYERS, "head"]


def test_refuses_more_series_than_a_store_is_asked_to_hold(store: Store) -> None:
    start(store)
    names = [f"loss_{number}" for number in range(MOST_SERIES + 1)]
    points = [MetricPoints(metric=name, steps=[1], values=Floats.of([1.0])) for name in names]

    with pytest.raises(TooManySeries, match="10,000 series of rank 0"):
        store.append([received(Frame(run_id=RUN, writer=1, seq=0, metrics=points))])

    assert store.run(RUN).metrics == []
    assert store.append([received(Frame(run_id=RUN, writer=1, seq=0, metrics=points[:MOST_SERIES]))]) == [True]
    assert store.append([metric_frame(1, [2], [1.0], metric="loss_1")]) == [True]


def test_remembers_which_ends_are_still_to_be_judged(store: Store) -> None:
    start(store)
    assert store.unjudged() == []

    store.end_run(RUN, RunEnd(status="finished", ended_at=1002.0))
    assert store.unjudged() == [RUN]

    store.save_findings(RUN, [], health=100)
    assert store.unjudged() == [RUN]

    store.save_findings(RUN, [], health=100, is_last=True)
    assert store.unjudged() == []

    start(store)
    assert store.mark_lost(silent_since=1e12) == [RUN]
    assert store.unjudged() == [RUN]


def test_finds_the_rows_of_given_runs(store: Store) -> None:
    for name in ("a", "b", "c"):
        start(store, name)

    page = store.runs(RunQuery(run_ids=frozenset({"a", "c", "gone"})))

    assert ({row.run_id for row in page.runs}, page.total) == ({"a", "c"}, 2)


def test_keeps_ranks_apart(store: Store) -> None:
    start(store)
    for rank in range(2):
        store.append([layer_frame(0, [1], np.full((3, 1), rank, np.float32), rank=rank, writer=10 + rank)])
    merge_all(store)

    assert store.stat_curve(RUN, "grad_norm", "stem", span=WHOLE, points=9, rank=1).mean.tolist() == [1.0]
    assert store.stat_curve(RUN, "grad_norm", "stem", span=WHOLE, points=9, rank=0).mean.tolist() == [0.0]


def test_an_unknown_run_keeps_nothing_of_the_whole_append(store: Store) -> None:
    start(store)
    with pytest.raises(RunNotFound, match="no run 'nobody'"):
        store.append([metric_frame(0, [1], [1.0]), metric_frame(0, [1], [1.0], run_id="nobody")])

    assert store.run(RUN).metrics == []
    assert store.append([metric_frame(0, [1], [1.0])]) == [True]


def test_says_which_series_a_run_does_not_have(store: Store) -> None:
    start(store)
    assert store.snapshot(RUN) is None
    with pytest.raises(SeriesNotFound, match="'loss'"):
        store.metric_curve(RUN, "loss", span=WHOLE, points=9)
    with pytest.raises(SeriesNotFound, match="'grad_norm'"):
        store.heatmap(RUN, "grad_norm", span=WHOLE, buckets=9)
    with pytest.raises(RunNotFound):
        store.run("nobody")


def test_sorts_runs_by_a_metric_with_those_without_it_last(store: Store) -> None:
    for number, loss in enumerate([0.5, None, 0.25, float("nan"), float("inf")]):
        start(store, f"run-{number}", tags=["100%"] if number == 2 else [])
        if loss is not None:
            store.append([metric_frame(0, [1, 2], [9.0, loss], run_id=f"run-{number}")])

    rising = [row.run_id for row in store.runs(RunQuery(sort_by="metric:loss", descending=False)).runs]
    falling = store.runs(RunQuery(sort_by="metric:loss", limit=3))
    assert rising[:3] == ["run-2", "run-0", "run-4"]
    assert [row.run_id for row in falling.runs] == ["run-4", "run-0", "run-2"]
    assert (falling.total, falling.runs[0].last["loss"].value, falling.runs[1].last["loss"].step) == (5, "Infinity", 2)
    assert [row.run_id for row in store.runs(RunQuery(text="0%")).runs] == ["run-2"]
    assert [row.run_id for row in store.runs(RunQuery(text="0% TESTS")).runs] == ["run-2"]
    assert falling.runs[1].sparkline.tolist() == [9.0, 0.5]


def test_a_run_lives_is_lost_and_found_and_ends(store: Store) -> None:
    start(store)
    store.set_model(RUN, ModelInfo(layers=[LayerInfo(name="stem", kind="Conv2d")]))
    assert store.mark_lost(silent_since=1500.0) == [RUN]
    store.heartbeat([RUN, "nobody"], now=1600.0)
    assert store.run(RUN).summary.status == "running"
    store.end_run(RUN, RunEnd(status="failed", ended_at=1700.0, last_step=9, error="out of memory"))
    detail = store.run(RUN)
    assert (detail.summary.status, detail.error, detail.layers[0].kind) == ("failed", "out of memory", "Conv2d")

    start(store)
    assert (store.run(RUN).summary.status, store.run(RUN).error) == ("running", None)


def test_tells_when_data_came_last_and_how_far_apart_they_usually_come(store: Store) -> None:
    start(store)
    frames = [metric_frame(seq, [seq], [1.0]).frame for seq in range(4)]
    store.append([received(frames[0], received_at=1002.0)])
    assert (store.run(RUN).summary.data_at, store.run(RUN).summary.data_every) == (1002.0, None)

    store.append([received(frames[1], received_at=1012.0), received(frames[2], received_at=1012.0)])
    store.heartbeat([RUN], now=1020.0)
    summary = store.run(RUN).summary
    assert (summary.data_at, summary.data_every, summary.heartbeat_at) == (1012.0, 10.0, 1020.0)

    store.mark_lost(silent_since=1500.0)
    store.append([received(frames[3], received_at=9000.0)])
    assert (store.run(RUN).summary.data_at, store.run(RUN).summary.data_every) == (9000.0, 10.0)


def test_findings_are_updated_by_their_id_and_come_gravest_first(store: Store) -> None:
    start(store)
    info, grave = _finding("a", "info", 2.0), _finding("b", "critical", 1.0)
    store.save_findings(RUN, [info, grave, _finding("c", "critical", 3.0)], health=40)
    resolved = msgspec.structs.replace(grave, state="resolved")
    store.save_findings(RUN, [resolved], health=70)

    assert [finding.finding_id for finding in store.findings(RUN)] == ["c", "a", "b"]
    row = store.runs(RunQuery()).runs[0]
    assert (row.health, row.open_findings) == (70, {"critical": 1, "info": 1})


def _finding(finding_id: str, severity: str, opened_at: float) -> Finding:
    return Finding(
        finding_id=finding_id,
        run_id=RUN,
        rule="dead_relu",
        severity=severity,  # type: ignore[arg-type]  # one of the three
        first_step=0,
        last_step=9,
        summary="half of the units are dead",
        opened_at=opened_at,
    )


def test_a_deleted_run_leaves_nothing_and_spares_the_others(store: Store) -> None:
    for run_id in (RUN, "run-b"):
        start(store, run_id)
        store.append([metric_frame(seq, [seq], [1.0], run_id=run_id) for seq in range(700)])
    merge_all(store)
    store.delete_run(RUN)

    with pytest.raises(RunNotFound):
        store.run(RUN)
    assert len(store.metric_curve("run-b", "loss", span=WHOLE, points=999).steps) == 700
    start(store)
    assert store.append([metric_frame(0, [1], [1.0])]) == [True]


def test_answers_a_ping(store: Store) -> None:
    store.ping()
