"""What people say of runs in the table, its groups and its views, on each database."""

from __future__ import annotations

import pytest

from tests.store.sample_frames import metric_frame, start
from trainvitals.wire.messages import RunEnd
from trainvitals.wire.table import RunsChange, View
from trainvitals_server.store.interface import RunNotFound, RunQuery, Store, TooManyTags, ViewNotFound
from trainvitals_server.store.run_changes import IN_BIN_SECONDS
from trainvitals_server.store.run_words import MOST_SETTINGS

NOW = 5000.0


def found(store: Store, text: str) -> list[str]:
    return sorted(row.run_id for row in store.runs(RunQuery(text=text)).runs)


def test_tags_are_added_and_taken_away_and_searched_for(store: Store) -> None:
    start(store, "a", tags=["old"])
    start(store, "b")
    changed = store.change_runs(RunsChange(run_ids=["b", "a"], tag=["New", "old"]), now=NOW)
    assert [(row.run_id, row.tags) for row in changed] == [("b", ["New", "old"]), ("a", ["old", "New"])]
    assert found(store, "tag:new") == found(store, "new") == ["a", "b"]

    store.change_runs(RunsChange(run_ids=["a"], untag=["NEW"]), now=NOW)
    assert found(store, "tag:new") == found(store, "new") == ["b"]
    with pytest.raises(TooManyTags):
        store.change_runs(RunsChange(run_ids=["b"], tag=[f"t{number}" for number in range(99)]), now=NOW)


def test_a_memo_is_kept_and_searched_for(store: Store) -> None:
    start(store, "a")
    store.change_runs(RunsChange(run_ids=["a"], memo="the warm-up was too short"), now=NOW)
    assert store.run("a").summary.memo == "the warm-up was too short"
    assert found(store, '"warm-up was"') == found(store, "memo:*short") == ["a"]

    store.change_runs(RunsChange(run_ids=["a"], memo=""), now=NOW)
    assert found(store, "warm-up") == []


def test_changes_all_runs_or_none(store: Store) -> None:
    start(store, "a")
    with pytest.raises(RunNotFound, match="nobody"):
        store.change_runs(RunsChange(run_ids=["a", "nobody"], tag=["x"], archived=True), now=NOW)
    assert (store.run("a").summary.tags, store.run("a").summary.archived) == ([], False)


def test_what_many_runs_are_told_at_once_is_told_of_each(store: Store) -> None:
    for name in "abc":
        start(store, name, tags=[name], config={"much": "x" * 10_000})
    changed = store.change_runs(RunsChange(run_ids=["c", "a", "b"], tag=["all"], memo="both", archived=True), now=NOW)
    assert [(row.run_id, row.tags, row.memo, row.archived) for row in changed] == [
        (name, [name, "all"], "both", True) for name in "cab"
    ]
    assert found(store, "tag:all memo:both is:archived") == ["a", "b", "c"]


def test_a_deleted_run_can_be_taken_back_from_the_bin(store: Store) -> None:
    start(store, "a")
    store.end_run("a", RunEnd(status="finished", ended_at=2000.0))
    store.change_runs(RunsChange(run_ids=["a"], deleted=True), now=NOW)
    assert (found(store, ""), store.deleted_runs(before=NOW), store.deleted_runs(before=NOW + 1)) == ([], [], ["a"])
    assert store.runs(RunQuery(has_deleted=True)).runs[0].deleted

    store.change_runs(RunsChange(run_ids=["a"], deleted=False), now=NOW)
    assert (found(store, ""), store.deleted_runs(before=NOW + 1)) == (["a"], [])


def test_a_deleted_run_that_still_trains_stays_in_the_bin(store: Store) -> None:
    start(store, "a")
    store.change_runs(RunsChange(run_ids=["a"], deleted=True), now=NOW)
    late = NOW + IN_BIN_SECONDS + 1
    assert store.deleted_runs(before=late) == []
    store.change_runs(RunsChange(run_ids=["a"], deleted=False), now=late)
    assert found(store, "") == ["a"]


def test_a_run_whose_time_in_the_bin_is_over_is_not_taken_back(store: Store) -> None:
    start(store, "a")
    store.end_run("a", RunEnd(status="finished", ended_at=2000.0))
    store.change_runs(RunsChange(run_ids=["a"], deleted=True), now=NOW)
    with pytest.raises(RunNotFound):
        store.change_runs(RunsChange(run_ids=["a"], deleted=False), now=NOW + IN_BIN_SECONDS + 1)
    store.change_runs(RunsChange(run_ids=["a"], deleted=False), now=NOW + IN_BIN_SECONDS - 1)


def test_groups_tell_what_runs_of_a_setting_reached(store: Store) -> None:
    for number, (lr, loss) in enumerate([(0.1, 3.0), (0.1, 1.0), (0.1, 2.0), (0.01, 0.5), (0.01, float("nan"))]):
        start(store, f"run-{number}", config={"optimizer": {"lr": lr}})
        store.append([metric_frame(0, [1], [loss], run_id=f"run-{number}")])
    start(store, "bare")

    answered = store.groups(RunQuery(), by="setting:optimizer.lr", metric="loss")
    small, large, none = answered.groups
    assert (small.value, small.runs, small.valued, small.low, small.lowest) == ("0.01", 2, 1, 0.5, "run-3")
    assert (large.runs, large.low, large.median, large.high, large.highest) == (3, 1.0, 2.0, 3.0, "run-0")
    assert (none.value, none.runs, none.valued, none.median) == (None, 1, 0, None)
    assert [len(found(store, group.term)) for group in answered.groups] == [2, 3, 1]


def test_the_term_of_a_group_finds_its_runs_alone(store: Store) -> None:
    values = [
        "two words",
        'a "quote"',
        "back\\slash",
        "a*b",
        "-1",
        "",
        True,
        None,
        [1, 2],
        "a,b",
        "axb",
        3,
        0.1,
        "1e-1",
    ]
    for number, value in enumerate(values):
        start(store, f"run-{number:02}", config={"name": value})
    start(store, "without")
    store.append([metric_frame(0, [1], [3.0], run_id="without", metric="name")])
    groups = store.groups(RunQuery(), by="setting:name", metric="loss").groups
    told = sorted(found(store, group.term) for group in groups)
    assert told == [[f"run-{number:02}"] for number in range(len(values))] + [["without"]]


def test_columns_tell_how_many_runs_have_what(store: Store) -> None:
    start(store, "a", config={"lr": 1, "depth": 2}, tags=["x"])
    start(store, "b", config={"lr": 1})
    store.append([metric_frame(0, [1], [1.0], run_id="a")])
    told = store.columns(RunQuery())
    assert [(column.name, column.runs) for column in told.settings] == [("lr", 2), ("depth", 1)]
    assert [(column.name, column.runs) for column in (*told.metrics, *told.tags)] == [("loss", 1), ("x", 1)]
    assert store.columns(RunQuery(text="depth=2")).settings[0].runs == 1


def test_settings_without_end_are_kept_up_to_a_number(store: Store) -> None:
    start(store, "a", config={f"s{number}": "x" * 1000 for number in range(MOST_SETTINGS + 5)})
    assert len(store.columns(RunQuery()).settings) == MOST_SETTINGS


def test_views_are_kept_by_name(store: Store) -> None:
    store.save_view(View(name="sick", query="text=health%3A%3C60", at=1.0))
    store.save_view(View(name="All", query="", at=2.0))
    store.save_view(View(name="sick", query="text=finding%3Aany", at=3.0))
    assert [(view.name, view.query) for view in store.views()] == [("All", ""), ("sick", "text=finding%3Aany")]

    store.delete_view("sick")
    with pytest.raises(ViewNotFound, match="sick"):
        store.delete_view("sick")
