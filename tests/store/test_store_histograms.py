"""Histograms in a store: kept once, with their run, and as the newest attempt has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.store.sample_frames import LAYERS, RUN, WHOLE, layer_frame, merge_all, metric_frame, received, start
from trainvitals.wire.answers import LayerHistograms
from trainvitals.wire.frame import Frame
from trainvitals.wire.histograms import BINS, CELLS, EDGES, Histograms, ValueKind, part
from trainvitals.wire.histograms import WHOLE as ALL_VALUES
from trainvitals_server.store.interface import ReceivedFrame, RunNotFound, SeriesNotFound, Span, Store

Cells = NDArray[np.uint16]


def random_cells(seed: int, *, layers: int = len(LAYERS), steps: int = 1) -> Cells:
    """uint16 [layers, steps, 65]; bin 3 holds something everywhere."""
    cells = np.random.default_rng(seed).integers(0, ALL_VALUES, (layers, steps, CELLS)).astype("<u2")
    cells[..., 3] |= 1
    return cells


def histogram_frame(
    seq: int,
    steps: Sequence[int],
    cells: Cells,
    *,
    kind: ValueKind = "weights",
    layers: Sequence[str] = LAYERS,
    attempt: int = 0,
    rank: int = 0,
    run_id: str = RUN,
) -> ReceivedFrame:
    taken = Histograms(steps=list(steps), layers=list(layers), parts=[part(kind, cells.tobytes())])
    return received(Frame(run_id=run_id, writer=5, seq=seq, rank=rank, attempt=attempt, histograms=taken))


def read(
    store: Store,
    layer: str = "stem",
    *,
    kind: ValueKind = "weights",
    span: Span = WHOLE,
    columns: int = 100,
    rank: int = 0,
) -> LayerHistograms:
    return store.histograms(RUN, kind, layer, span=span, columns=columns, rank=rank)


def matrix(answer: LayerHistograms) -> NDArray[np.float32]:
    return np.frombuffer(answer.shares.data, "<f4").reshape(len(answer.steps), BINS)


def test_gives_every_share_back(store: Store) -> None:
    start(store)
    cells = random_cells(0, steps=2)
    store.append([histogram_frame(0, [0, 10], cells)])

    for place, layer in enumerate(LAYERS):
        answer = read(store, layer)
        assert (answer.steps, answer.kind, answer.layer) == ([0, 10], "weights", layer)
        assert matrix(answer).tolist() == (cells[place, :, :BINS] / np.float32(ALL_VALUES)).tolist()
        assert np.round(np.array(answer.nonfinite.tolist()) * ALL_VALUES).tolist() == cells[place, :, BINS].tolist()
        assert answer.edges.tolist() == list(EDGES)


def test_keeps_a_frame_once_and_of_a_step_what_came_last(store: Store) -> None:
    start(store)
    first, second = random_cells(0), random_cells(1)
    frame = histogram_frame(0, [0], first)
    assert store.append([frame, frame, histogram_frame(1, [0], second)]) == [True, False, True]
    assert store.append([frame]) == [False]

    answer = read(store)
    assert answer.steps == [0]
    assert matrix(answer).tolist() == (second[0, :, :BINS] / np.float32(ALL_VALUES)).tolist()


def test_histograms_beside_stats_and_metrics_survive_merging(store: Store) -> None:
    start(store)
    store.append([histogram_frame(0, [0], random_cells(0)), metric_frame(0, [0, 1], [2.0, 1.0])])
    store.append([layer_frame(1, [0], np.ones((len(LAYERS), 1), np.float32))])
    before = read(store)
    merge_all(store)

    assert read(store) == before
    assert store.stat_curve(RUN, "grad_norm", "stem", span=WHOLE, points=10).steps == [0]
    detail = store.run(RUN)
    assert (detail.stats, detail.metrics, detail.recorded_layers) == (["grad_norm"], ["loss"], list(LAYERS))


def test_a_resumed_run_hides_what_it_took_back(store: Store) -> None:
    start(store)
    store.append([histogram_frame(seq, [seq * 10], random_cells(seq)) for seq in range(4)])
    again = random_cells(9)
    store.append([histogram_frame(9, [20], again, attempt=1)])

    answer = read(store)
    assert answer.steps == [0, 10, 20]
    assert matrix(answer)[-1].tolist() == (again[0, 0, :BINS] / np.float32(ALL_VALUES)).tolist()


def test_metrics_of_a_newer_attempt_hide_older_histograms(store: Store) -> None:
    start(store)
    store.append([histogram_frame(seq, [seq * 10], random_cells(seq)) for seq in range(4)])
    store.append([metric_frame(0, [15], [1.0], attempt=1)])

    assert read(store).steps == [0, 10]


def test_thins_to_columns_with_the_first_and_the_last(store: Store) -> None:
    start(store)
    store.append([histogram_frame(seq, [seq * 10], random_cells(seq)) for seq in range(50)])

    steps = read(store, columns=7).steps
    assert len(steps) == 7
    assert (steps[0], steps[-1]) == (0, 490)
    assert set(np.diff(steps)) <= {80, 90}
    assert read(store, columns=1).steps == [490]
    assert read(store, span=Span(first=100, last=120)).steps == [100, 110, 120]


def test_many_layers_each_have_their_own(store: Store) -> None:
    start(store)
    layers = [f"layer{number}" for number in range(100)]
    cells = random_cells(0, layers=100, steps=3)
    store.append([histogram_frame(0, [0, 1, 2], cells, layers=layers)])

    for place in (0, 31, 32, 63, 64, 99):
        shown = matrix(read(store, layers[place]))
        assert shown.tolist() == (cells[place, :, :BINS] / np.float32(ALL_VALUES)).tolist()


def test_layers_that_change_places_are_found_in_either(store: Store) -> None:
    start(store)
    first, second = random_cells(0), random_cells(1)
    store.append([histogram_frame(0, [0], first), histogram_frame(1, [10], second, layers=LAYERS[::-1])])

    shown = matrix(read(store, "stem"))
    assert shown[0].tolist() == (first[0, 0, :BINS] / np.float32(ALL_VALUES)).tolist()
    assert shown[1].tolist() == (second[-1, 0, :BINS] / np.float32(ALL_VALUES)).tolist()


def test_ranks_are_told_apart(store: Store) -> None:
    start(store)
    store.append([histogram_frame(0, [0], random_cells(0)), histogram_frame(1, [5], random_cells(1), rank=1)])

    assert (read(store).steps, read(store, rank=1).steps) == ([0], [5])


def test_steps_at_which_a_layer_had_none_are_left_out(store: Store) -> None:
    start(store)
    cells = random_cells(0, steps=3)
    cells[0, 1] = 0
    cells[1] = 0
    store.append([histogram_frame(0, [0, 1, 2], cells)])

    assert read(store, "stem").steps == [0, 2]
    with pytest.raises(SeriesNotFound, match=r"histogram of the weights of layer .body\.0."):
        read(store, "body.0")


def test_says_what_there_is_not(store: Store) -> None:
    with pytest.raises(RunNotFound):
        read(store)
    start(store)
    with pytest.raises(SeriesNotFound):
        read(store)
    store.append([histogram_frame(0, [0], random_cells(0))])
    for changes in ({"layer": "nobody"}, {"kind": "gradients"}, {"rank": 3}, {"span": Span(first=1)}):
        with pytest.raises(SeriesNotFound):
            read(store, **changes)  # type: ignore[arg-type]  # one of several types


def test_go_with_their_run(store: Store) -> None:
    start(store)
    start(store, "other")
    store.append([histogram_frame(seq, [seq], random_cells(seq)) for seq in range(3)])
    store.append([histogram_frame(0, [0], random_cells(0), run_id="other")])
    store.delete_run(RUN)

    with pytest.raises(RunNotFound):
        read(store)
    assert store.histograms("other", "weights", "stem", span=WHOLE, columns=10).steps == [0]
    start(store)
    with pytest.raises(SeriesNotFound):
        read(store)
