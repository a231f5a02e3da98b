"""A store keeps what people write of a run, version by version, and nobody's words are lost to another's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.store.sample_frames import RUN, start
from trainvitals.wire.journal import JournalChange, Written
from trainvitals_server.store.interface import JournalChanged, RunNotFound, Store


def test_nothing_is_written_of_a_run_until_somebody_does(store: Store) -> None:
    start(store)
    assert store.journal(RUN) == []
    with pytest.raises(RunNotFound):
        store.journal("another")


def test_every_version_is_kept_with_who_wrote_it_and_when_the_newest_first(store: Store) -> None:
    start(store)
    first = store.write_journal(RUN, JournalChange(text="# Why\nto see", by="Ada"), now=1000.0)
    second = store.write_journal(RUN, JournalChange(text="über\0 all", by="Bob", after=1), now=2000.0)

    assert first == Written(version=1, at=1000.0, by="Ada", text="# Why\nto see")
    assert second == Written(version=2, at=2000.0, by="Bob", text="über\0 all")
    assert store.journal(RUN) == [second]
    assert store.journal(RUN, most=9) == [second, first]


def test_writing_the_same_again_is_no_version(store: Store) -> None:
    start(store)
    first = store.write_journal(RUN, JournalChange(text="a"), now=1000.0)

    assert store.write_journal(RUN, JournalChange(text="a", by="Bob"), now=2000.0) == first


def test_what_somebody_else_wrote_meanwhile_is_not_overwritten(store: Store) -> None:
    start(store)
    store.write_journal(RUN, JournalChange(text="a", after=0), now=1000.0)
    with pytest.raises(JournalChanged, match="version 1 is the newest"):
        store.write_journal(RUN, JournalChange(text="b", after=0), now=2000.0)

    assert store.write_journal(RUN, JournalChange(text="b", after=1), now=2000.0).version == 2


def test_of_several_who_write_at_once_each_is_kept_or_refused(store: Store) -> None:
    start(store)

    def write(number: int) -> bool:
        try:
            store.write_journal(RUN, JournalChange(text=f"of {number}", after=0), now=1000.0)
        except JournalChanged:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(write, range(8)))

    assert sum(kept) == 1
    assert [one.version for one in store.journal(RUN, most=9)] == [1]


def test_the_newest_fifty_versions_are_kept(store: Store) -> None:
    start(store)
    for number in range(53):
        store.write_journal(RUN, JournalChange(text=str(number)), now=1000.0)

    kept = [one.version for one in store.journal(RUN, most=99)]
    assert (kept[0], kept[-1], len(kept)) == (53, 4, 50)


def test_a_journal_goes_with_its_run(store: Store) -> None:
    start(store)
    store.write_journal(RUN, JournalChange(text="a"), now=1000.0)
    store.delete_run(RUN)
    start(store)

    assert store.journal(RUN) == []
