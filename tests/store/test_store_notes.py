"""What a store promises of notes, on each database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.store.sample_frames import RUN, start
from trainvitals.wire.notes import Alert, MetricDefinition, Note
from trainvitals_server.store.interface import NotesFull, RunNotFound, Store


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
