"""The table of runs is looked at as its address says."""

from __future__ import annotations

import pytest

from trainvitals_dashboard.pages.runs import counted
from trainvitals_dashboard.parts.runs_grid import columns_of, runs_grid
from trainvitals_dashboard.runs_look import RunsLook


def titles(look: RunsLook) -> list[str]:
    return [column["headerName"] for column in columns_of(look)]


def test_an_address_says_what_is_searched_for_shown_and_how_it_is_sorted() -> None:
    look = RunsLook.of({"text": "lr>0.01", "columns": "setting:lr,metric:a%2Cb,-spark", "sort": "-metric:a,b"})
    assert (look.text, look.settings, look.sort_by, look.descending) == ("lr>0.01", ["lr"], "metric:a,b", True)
    assert titles(look)[-5:] == ["lr", "a,b", "Tags", "Memo", "Started"]
    assert "Loss over time" not in titles(look)


@pytest.mark.parametrize("columns", ["setting:", "colour", "-name", "-colour", ",,", "metric"])
def test_an_address_that_names_no_column_shows_those_of_every_run(columns: str) -> None:
    assert titles(RunsLook.of({"columns": columns})) == titles(RunsLook())


@pytest.mark.parametrize("sort", ["spark", "-memo", "colour", ""])
def test_what_rows_cannot_be_sorted_by_leaves_the_newest_first(sort: str) -> None:
    assert RunsLook.of({"sort": sort}).sort == "-created"


def test_what_rows_are_sorted_by_is_among_their_columns() -> None:
    look = RunsLook.of({"columns": "metric:acc,-loss", "sort": "-setting:lr"})
    assert (look.added, look.sort) == (("metric:acc", "setting:lr"), "-setting:lr")
    assert "Loss" in titles(RunsLook.of({"columns": "-loss", "sort": "loss"}))


def test_the_table_begins_sorted_as_the_address_says() -> None:
    sorted_by = {one["colId"]: one.get("initialSort") for one in runs_grid(RunsLook(sort="loss")).columnDefs}
    assert {name: way for name, way in sorted_by.items() if way} == {"loss": "asc"}


def test_names_of_settings_are_safe_within_what_the_grid_evaluates() -> None:
    (column,) = [one for one in columns_of(RunsLook(added=('setting:a"b\\\n',))) if one["colId"].startswith("setting")]
    assert column["valueGetter"] == {"function": 'tvRow.setting(params.data, "a\\"b\\\\\\n")'}


@pytest.mark.parametrize(
    ("total", "is_search", "said"),
    [(1, False, "1 run"), (12345, False, "12,345 runs"), (1, True, "1 run matches"), (0, True, "0 runs match")],
)
def test_tells_how_many_runs_there_are_or_are_found(total: int, is_search: bool, said: str) -> None:
    assert counted(total, is_search=is_search) == said
