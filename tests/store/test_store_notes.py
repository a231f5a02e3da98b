"""What a store promises of notes, on each database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.store.sample_frames import RUN, metric_frame, start
from trainvitals.wire.notes import Alert, MetricDefinition, Note
from trainvitals_server.store.interface import NotesFull, RunNotFound, RunQuery, Store


def test_newer_notes_change_what_older_ones_said_and_leave_the_rest(store: Store) -> None:
    start(store, config={"lr": 0.1, "seed": 1})
    store.note(RUN, Note(writer=1, seq=0, config={"lr": 0.2}, summary={"a": 1, "b": 1}))
    store.note(RUN, Note(writer=1, seq=1, summary={"b": 2}, metrics={"loss": MetricDefinition(summary="min")}))

    detail = store.run(RUN)
    assert detail.config == {"lr": 0.2, "seed": 1}
    assert detail.notes.summary == {"a": 1, "b": 2}
    assert detail.notes.metrics["loss"].summary == "min"


def test_a_note_that_comes_again_or_late_changes_nothing(store: Store) -> None:
    start(store)
    notes = [Note(writer=1, seq=seq, summary={"x": seq}, alerts=[Alert(title=str(seq))]) for seq in range(3)]
    assert [store.note(RUN, note) for note in (*notes, *notes)] == [True] * 3 + [False] * 3
    assert store.run(RUN).notes.summary == {"x": 2}
    assert [alert.title for alert in store.run(RUN).notes.alerts] == ["0", "1", "2"]


def test_a_run_that_is_begun_again_keeps_its_notes(store: Store) -> None:
    start(store, config={"lr": 0.1})
    store.note(RUN, Note(writer=1, seq=0, config={"lr": 0.2}, summary={"x": 1}))
    start(store, config={"lr": 0.1})
    assert (store.run(RUN).config, store.run(RUN).notes.summary) == ({"lr": 0.2}, {"x": 1})


def test_writers_that_note_at_once_lose_nothing_of_each_other(store: Store) -> None:
    start(store)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda writer: store.note(RUN, Note(writer=writer, seq=0, summary={str(writer): 1})), range(40)))
    assert set(store.run(RUN).notes.summary) == {str(writer) for writer in range(40)}


def test_what_would_be_too_much_leaves_what_there_was(store: Store) -> None:
    start(store, config={"lr": 0.1})
    with pytest.raises(NotesFull):
        store.note(RUN, Note(writer=1, seq=0, config={"data": "x" * 2_000_000}))
    assert store.run(RUN).config == {"lr": 0.1}


def test_nothing_is_noted_of_a_run_that_is_not_there(store: Store) -> None:
    with pytest.raises(RunNotFound):
        store.note("nobody", Note(writer=1, seq=0))


def test_the_loss_of_the_table_is_what_the_script_defines_whenever_it_does(store: Store) -> None:
    start(store)
    store.append([metric_frame(0, [0, 1], [9.0, 8.0]), metric_frame(1, [0, 1], [0.5, 0.25], metric="objective")])
    assert (store.run(RUN).summary.loss, store.run(RUN).summary.sparkline.tolist()) == ("loss", [9.0, 8.0])

    store.note(RUN, Note(writer=1, seq=0, metrics={"objective": MetricDefinition(role="loss")}))
    store.append([metric_frame(2, [2], [7.0]), metric_frame(3, [2], [0.125], metric="objective")])

    (row,) = store.runs(RunQuery()).runs
    assert (row.loss, row.sparkline.tolist()) == ("objective", [0.5, 0.25, 0.125])


def test_a_definition_that_comes_before_the_first_point_counts(store: Store) -> None:
    start(store)
    metrics = {"*/objective": MetricDefinition(role="loss"), "loss": MetricDefinition(role="validation_loss")}
    store.note(RUN, Note(writer=1, seq=0, metrics=metrics))
    store.append([metric_frame(0, [0], [9.0]), metric_frame(1, [0], [0.5], metric="my/objective")])
    assert (store.run(RUN).summary.loss, store.run(RUN).summary.sparkline.tolist()) == ("my/objective", [0.5])


def test_what_is_defined_as_something_else_is_the_loss_no_more(store: Store) -> None:
    start(store)
    store.append([metric_frame(0, [0], [9.0])])
    store.note(RUN, Note(writer=1, seq=0, metrics={"loss": MetricDefinition(role="validation_loss")}))
    assert (store.run(RUN).summary.loss, store.run(RUN).summary.sparkline.tolist()) == (None, [])
