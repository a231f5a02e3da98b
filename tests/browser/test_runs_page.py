"""The page of runs in a browser: searched, grouped, with columns that were chosen, and changed in place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.training import HEADERS, Training
from tests.real_server import wait_until
from trainvitals.wire import coding
from trainvitals.wire.messages import RunStart
from trainvitals_server.composition import create_whole
from trainvitals_server.settings import Settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]


@pytest.fixture
def swept(tmp_path: Path, serve: Callable[[FastAPI], str]) -> str:
    """The address of a server with four runs of two learning rates."""
    address = serve(create_whole(Settings(database=f"sqlite:///{tmp_path / 'runs.sqlite3'}")))
    for number in range(4):
        config = {"optimizer": {"lr": 0.1 if number < 3 else 0.001}}
        start = RunStart(project="sweep", name=f"net r{number}", started_at=1000.0 + number, config=config)
        path = f"{address}/api/v1/runs/r{number}"
        httpx2.put(path, content=coding.encode(start), headers=HEADERS).raise_for_status()
        Training(address, f"r{number}").train(5, loss=always(number + 0.5))
    wait_until(lambda: is_judged(address), what="the runs to be judged, so that no news of them comes later")
    return address


def is_judged(address: str) -> bool:
    return all(run["health"] is not None for run in httpx2.get(f"{address}/api/v1/runs").json()["runs"])


def always(value: float) -> Callable[[int], float]:
    return lambda step: value


def row(page: Page, name: str) -> Locator:
    return page.locator(".ag-row", has_text=f"net {name}")


def cell(page: Page, name: str, column: str) -> Locator:
    return row(page, name).locator(f"[col-id='{column}']")


def test_tags_and_notes_are_edited_in_place_and_searched_for(page: Page, swept: str) -> None:
    page.goto(swept)
    cell(page, "r1", "tags").click()
    page.keyboard.type("best, wide")
    page.keyboard.press("Enter")
    expect(cell(page, "r1", "tags").locator(".tv-tag")).to_have_text(["best", "wide"])
    cell(page, "r1", "memo").click()
    page.keyboard.type("kept for the paper")
    page.keyboard.press("Enter")
    expect(cell(page, "r1", "memo")).to_have_text("kept for the paper")

    page.get_by_label("Search", exact=True).fill('tag:wide "for the paper"')
    expect(page.locator("#runs-count")).to_have_text("1 run matches")
    page.reload()
    expect(cell(page, "r1", "memo")).to_have_text("kept for the paper")
    expect(page.locator(".ag-row")).to_have_count(1)


def test_a_tag_with_a_comma_stays_one(page: Page, swept: str) -> None:
    change = {"run_ids": ["r1"], "tag": ["lr 0,1", 'so "called"']}
    httpx2.patch(f"{swept}/api/v1/runs", json=change).raise_for_status()
    page.goto(swept)
    cell(page, "r1", "tags").click()
    expect(page.locator(".ag-popup-editor input")).to_have_value('"lr 0,1", "so \\"called\\""')
    page.keyboard.press("End")
    page.keyboard.type(", best")
    page.keyboard.press("Enter")
    expect(cell(page, "r1", "tags").locator(".tv-cell-tags")).to_have_attribute(
        "title", '"lr 0,1", "so \\"called\\"", best'
    )


def test_tags_that_do_not_fit_are_counted_and_all_are_said(page: Page, swept: str) -> None:
    tags = ["baseline of the year", "best", *(f"sweep {number}" for number in range(12))]
    httpx2.patch(f"{swept}/api/v1/runs", json={"run_ids": ["r1"], "tag": tags}).raise_for_status()
    httpx2.patch(f"{swept}/api/v1/runs", json={"run_ids": ["r2"], "tag": ["best"]}).raise_for_status()
    page.goto(swept)
    many = cell(page, "r1", "tags").locator(".tv-cell-tags")
    expect(many).to_be_visible()
    shown = many.locator(".tv-tag").count()
    expect(many.locator("small")).to_have_text(f"+{len(tags) - shown}")
    assert all(tag in (many.get_attribute("title") or "") for tag in tags)
    assert many.evaluate("at => at.scrollWidth <= at.clientWidth")
    expect(cell(page, "r2", "tags").locator(".tv-cell-tags")).to_have_text("best")


def test_an_address_that_sorts_by_a_setting_shows_it(page: Page, swept: str) -> None:
    page.goto(f"{swept}/?sort=setting:optimizer.lr")
    expect(page.locator(".ag-row[row-index='0']")).to_contain_text("net r3")
    expect(cell(page, "r3", "setting:optimizer.lr")).to_have_text("0.001")


def test_findings_that_do_not_fit_are_counted_and_all_are_said(page: Page, swept: str) -> None:
    found = {"info": 3, "critical": 1, "warning": 2}
    page.route("**/api/v1/runs?*", lambda route: with_findings(route, found))
    page.goto(f"{swept}/?text=net")
    page.get_by_label("Search", exact=True).fill("net r1")
    expect(page.get_by_label("1 critical, 2 warning, 3 info")).to_have_text("123")

    found |= {"info": 300, "warning": 120}
    page.get_by_label("Search", exact=True).fill("net r2")
    marks = page.get_by_label("1 critical, 120 warning, 300 info")
    expect(marks).to_have_text("1+420")
    assert marks.evaluate("at => at.scrollWidth <= at.parentElement.clientWidth")


def with_findings(route: Route, found: dict[str, int]) -> None:
    answer = route.fetch()
    told = answer.json()
    route.fulfill(response=answer, json={**told, "runs": [{**row, "open_findings": found} for row in told["runs"]]})


def test_that_no_run_matches_is_said_once(page: Page, swept: str) -> None:
    page.goto(swept)
    page.get_by_label("Search", exact=True).fill("no such run")
    expect(page.locator("#runs-none")).to_have_text("No run matches.")
    expect(page.locator(".ag-row")).to_have_count(0)
    expect(page.locator(".ag-overlay-no-rows-center")).to_have_count(0)


def test_a_search_that_is_not_understood_is_told_with_its_place(page: Page, swept: str) -> None:
    other = page.context.new_page()  # the browser itself counts the refusal as an error of the console
    other.goto(swept)
    expect(other.locator(".ag-row")).to_have_count(4)
    other.get_by_label("Search", exact=True).fill("net statuss:lost")
    expect(other.locator("#runs-said mark")).to_have_text("statuss:lost")
    expect(other.locator("#runs-said")).to_contain_text("did you mean status:?")
    expect(other.locator("#runs-count")).to_have_text("Not searched")
    other.get_by_label("Search", exact=True).fill("🚀🚀 statuss:lost")
    expect(other.locator("#runs-said code")).to_have_text("🚀🚀 statuss:lost")
    expect(other.locator("#runs-said mark")).to_have_text("statuss:lost")
    expect(other.locator(".ag-row")).to_have_count(4)
    other.get_by_label("What can be asked for").click()
    other.get_by_label("Search", exact=True).fill("")
    other.get_by_role("button", name="status:running").click()
    expect(other.locator("#runs-said")).to_be_empty()
    expect(other.locator("#runs-count")).to_have_text("4 runs match")
    other.close()


def test_chosen_columns_stay_in_the_address_and_sort_on_the_server(page: Page, swept: str) -> None:
    page.goto(swept)
    page.locator("#runs-menu-columns").click()
    page.get_by_label("optimizer.lr").check()
    page.get_by_label("Loss over time").uncheck()
    expect(cell(page, "r3", "setting:optimizer.lr")).to_have_text("0.001")
    expect(page.locator(".ag-header-cell[col-id='spark']")).to_have_count(0)
    page.keyboard.press("Escape")
    page.locator(".ag-header-cell[col-id='setting:optimizer.lr']").click()
    expect(page.locator(".ag-row[row-index='0']")).to_contain_text("net r3")

    page.reload()
    expect(page.locator(".ag-row[row-index='0']")).to_contain_text("net r3")
    expect(cell(page, "r3", "setting:optimizer.lr")).to_have_text("0.001")


def test_a_group_tells_what_its_runs_reached_and_shows_them_alone(page: Page, swept: str) -> None:
    page.goto(swept)
    page.locator("#runs-menu-group").click()
    page.get_by_role("button", name="optimizer.lr").click()
    groups = page.get_by_label("Groups by optimizer.lr")
    expect(groups.locator("tbody tr")).to_have_count(2)
    expect(groups.locator("tbody tr").nth(1).locator("td")).to_have_text(["3 3 running", "0.5", "1.5", "2.5", ""])
    groups.get_by_role("button", name="0.001").click()
    expect(page.locator(".ag-row")).to_have_count(1)
    expect(groups.locator("tbody tr.on")).to_contain_text("0.001")
    groups.get_by_role("button", name="0.001").press("Enter")
    expect(page.locator(".ag-row")).to_have_count(4)
    expect(groups.locator("tbody tr.on")).to_have_count(0)
    expect(groups.get_by_role("button", name="0.001")).to_be_focused()
    groups.get_by_role("button", name="No groups").press("Enter")
    expect(page.locator("#runs-menu-group")).to_be_focused()


def test_chosen_runs_are_tagged_archived_and_deleted_and_taken_back(page: Page, swept: str) -> None:
    page.goto(swept)
    choose(page, "r0", "r2")
    page.locator("#runs-chosen").get_by_text("Tag", exact=True).click()
    page.get_by_label("Add a tag").fill("both")
    page.keyboard.press("Enter")
    expect(page.locator(".tv-tag", has_text="both")).to_have_count(2)

    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator(".ag-row")).to_have_count(2)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".ag-row")).to_have_count(4)

    choose(page, "r0")
    page.get_by_role("button", name="Archive").click()
    expect(page.locator("#runs-count")).to_have_text("3 runs")
    page.get_by_label("Search", exact=True).fill("is:archived")
    expect(row(page, "r0")).to_contain_text("archived")


def test_what_was_archived_before_stays_so_when_the_rest_is_taken_back(page: Page, swept: str) -> None:
    httpx2.patch(f"{swept}/api/v1/runs", json={"run_ids": ["r0"], "archived": True}).raise_for_status()
    page.goto(f"{swept}/?text=is:all")
    choose(page, "r0", "r2")
    page.get_by_role("button", name="Archive").click()
    expect(row(page, "r2")).to_contain_text("archived")
    page.get_by_role("button", name="Undo").click()
    expect(row(page, "r2")).not_to_contain_text("archived")
    expect(row(page, "r0")).to_contain_text("archived")


def test_runs_that_come_and_what_others_do_are_seen_whenever_the_runs_began(page: Page, swept: str) -> None:
    page.goto(swept)
    expect(page.locator(".ag-row")).to_have_count(4)
    expect(page.locator("#live-word")).to_have_text("Live")
    start = RunStart(project="sweep", name="net imported", started_at=500.0)
    httpx2.put(f"{swept}/api/v1/runs/old", content=coding.encode(start), headers=HEADERS).raise_for_status()
    expect(row(page, "imported")).to_be_visible()

    for is_gone in (True, False):
        for what in ("archived", "deleted"):
            change = {"run_ids": ["r1" if what == "archived" else "r2"], what: is_gone}
            httpx2.patch(f"{swept}/api/v1/runs", json=change).raise_for_status()
        expect(page.locator("#runs-count")).to_have_text("3 runs" if is_gone else "5 runs")
    expect(page.locator(".ag-row")).to_have_count(5)


def test_what_can_be_taken_back_is_offered_almost_as_long_as_it_can_be(page: Page, swept: str) -> None:
    page.clock.install()
    page.goto(swept)
    choose(page, "r0")
    page.get_by_role("button", name="Delete", exact=True).click()
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    page.clock.fast_forward(50_000)
    undo.hover()
    page.clock.fast_forward(6_000)
    expect(undo).to_be_visible()  # not taken away beneath the pointer
    page.mouse.move(5, 5)
    page.clock.fast_forward(2_000)
    expect(undo).to_have_count(0)


def choose(page: Page, *names: str) -> None:
    for name in names:
        row(page, name).locator("input[type=checkbox]").click()
    expect(page.locator("#runs-chosen")).to_contain_text(f"{len(names)} selected")


def test_a_view_is_saved_under_a_name_and_leads_back(page: Page, swept: str) -> None:
    page.goto(f"{swept}/?text=lr%3C0.01&sort=name")
    expect(page.locator(".ag-row")).to_have_count(1)
    page.locator("#runs-menu-views").click()
    page.get_by_label("Name of this view").fill("small rates")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="small rates")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_be_focused()
    page.get_by_role("link", name="All runs", exact=True).last.click()
    expect(page.locator("#runs-count")).to_have_text("4 runs")

    page.locator("#runs-menu-views").click()
    page.get_by_role("link", name="small rates").click()
    expect(page.locator("#runs-count")).to_have_text("1 run matches")
    expect(page.get_by_label("Search", exact=True)).to_have_value("lr<0.01")
    expect(page.locator(".ag-header-cell[col-id='name']")).to_have_attribute("aria-sort", "ascending")
