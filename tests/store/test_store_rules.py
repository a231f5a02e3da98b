"""A store keeps every version of what a project says of its rules, and what a script says of them for its run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.store.sample_frames import RUN, start
from trainvitals.wire.rules import RuleChange, RuleSettings
from trainvitals_server.store.interface import RulesChanged, Store

MUTED = RuleChange(muted=["overfitting"], by="Ada", comment="a baseline")
SET = RuleChange(options={"loss_spike": {"sigmas": 12.0, "past": 32}}, by="Bob")


def test_nothing_is_said_of_rules_until_somebody_does(store: Store) -> None:
    assert store.rules("tests") == []


def test_every_version_is_kept_with_who_said_it_and_when_the_newest_first(store: Store) -> None:
    first = store.set_rules("tests", MUTED, now=1000.0)
    second = store.set_rules("tests", SET, now=2000.0)

    assert first == RuleSettings(version=1, at=1000.0, by="Ada", comment="a baseline", muted=["overfitting"])
    assert second == RuleSettings(version=2, at=2000.0, by="Bob", options=SET.options)
    assert store.rules("tests") == [second]
    assert store.rules("tests", most=10) == [second, first]


def test_saying_the_same_again_is_no_version(store: Store) -> None:
    first = store.set_rules("tests", MUTED, now=1000.0)
    assert store.set_rules("tests", MUTED, now=2000.0) == first
    assert store.set_rules("others", RuleChange(), now=2000.0) == RuleSettings()
    assert store.rules("tests", most=10) == [first]


def test_going_back_is_saying_it_again(store: Store) -> None:
    for change in (MUTED, SET, MUTED):
        store.set_rules("tests", change, now=1000.0)

    assert [(one.version, one.muted) for one in store.rules("tests", most=9)] == [
        (3, ["overfitting"]),
        (2, []),
        (1, ["overfitting"]),
    ]


def test_projects_say_what_they_say_apart(store: Store) -> None:
    store.set_rules("tests", MUTED, now=1000.0)
    store.set_rules("tests/with\0nul", SET, now=1000.0)

    assert store.rules("tests")[0].muted == ["overfitting"]
    assert store.rules("tests/with\0nul")[0].options == SET.options


def test_what_somebody_else_said_meanwhile_is_not_overwritten(store: Store) -> None:
    store.set_rules("tests", MUTED, now=1000.0)
    with pytest.raises(RulesChanged, match="version 1 is the newest"):
        store.set_rules("tests", RuleChange(muted=["loss_spike"], after=0), now=2000.0)

    assert store.set_rules("tests", RuleChange(muted=["loss_spike"], after=1), now=2000.0).version == 2


def test_of_several_that_come_together_each_is_kept_or_refused(store: Store) -> None:
    def say(number: int) -> bool:
        try:
            store.set_rules("tests", RuleChange(muted=[f"rule_{number}"], after=0), now=1000.0)
        except RulesChanged:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(say, range(8)))

    assert sum(kept) == 1
    assert [one.version for one in store.rules("tests", most=9)] == [1]


def test_a_run_keeps_what_its_script_mutes_in_the_words_of_rank_0(store: Store) -> None:
    start(store, rank=1, ranks=2, mute=["loss_spike"])
    assert store.run(RUN).muted == ["loss_spike"]
    start(store, ranks=2, mute=["overfitting"])
    start(store, rank=1, ranks=2, mute=["loss_spike"])
    assert store.run(RUN).muted == ["overfitting"]
