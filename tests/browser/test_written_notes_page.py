"""People write about a run on its page; nobody's words are lost, neither to another who writes nor to a closed tab."""

from __future__ import annotations

import httpx2
import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.browser.training import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
UNSAFE = "# Why\n\n<img src=x onerror=window.bad=1>\n\n[bad](javascript:window.bad=2) [good](https://example.org)"


def write(address: str, run_id: str, text: str, by: str) -> None:
    path = f"{address}/api/v1/runs/{run_id}/journal"
    httpx2.put(path, json={"text": text, "by": by}).raise_for_status()


def test_what_is_written_is_previewed_saved_and_read_without_scripts(page: Page, address: str) -> None:
    Training(address, "written").train(9)
    page.goto(f"{address}/runs/written/notes")
    expect(page.locator("#notes-read")).to_contain_text("Nobody has written")

    page.locator("#notes-edit").click()
    expect(page.locator("#notes-text")).to_be_focused()
    page.locator("#notes-by").fill("Ada")
    page.locator("#notes-text").fill(UNSAFE)
    expect(page.locator("#notes-preview h1")).to_have_text("Why")
    page.locator("#notes-text").press("Control+Enter")

    read = page.locator("#notes-read")
    expect(read.locator("h1")).to_have_text("Why")
    expect(read).to_contain_text("version 1, by Ada")
    expect(page.locator("#notes-text")).to_be_hidden()
    expect(read).to_contain_text("<img src=x onerror")
    assert page.evaluate("window.bad") is None
    assert read.locator("a[href^='javascript:window']").count() == 0
    expect(read.locator("a[href^='https:']")).to_have_text("good")
    assert page.evaluate("localStorage.getItem('tv-notes-draft /runs/written/notes')") is None


def test_nothing_can_be_written_between_saving_and_the_answer(page: Page, address: str) -> None:
    Training(address, "slow").train(9)
    page.goto(f"{address}/runs/slow/notes")
    page.locator("#notes-edit").click()
    page.locator("#notes-text").fill("first")
    held: list[Route] = []

    def saves(request: Request) -> bool:
        return "notes-saved.data...notes-refused" in (request.post_data or "")

    page.route(
        "**/_dash-update-component*", lambda route: held.append(route) if saves(route.request) else route.continue_()
    )
    with page.expect_request(saves):
        page.locator("#notes-save").click()
    expect(page.locator("#notes-text")).to_have_attribute("readonly", "")
    held[0].continue_()
    expect(page.locator("#notes-read")).to_contain_text("first")

    page.locator("#notes-edit").click()
    page.locator("#notes-text").press_sequentially(" second")
    expect(page.locator("#notes-text")).to_have_value("first second")


def test_of_two_who_write_at_once_both_texts_are_kept(page: Page, address: str) -> None:
    Training(address, "both").train(9)
    page.goto(f"{address}/runs/both/notes")
    expect(page.locator("#live-word")).to_have_text("Live")
    page.locator("#notes-edit").click()
    page.locator("#notes-text").fill("mine")
    write(address, "both", "theirs", "bob")
    expect(page.locator("#notes-conflict")).to_contain_text("Bob wrote meanwhile")

    page.locator("#notes-save").click()  # refused, and nothing is lost
    expect(page.locator("#notes-conflict")).to_contain_text("theirs")
    expect(page.locator("#notes-text")).to_have_value("mine")

    page.locator("#notes-join").click()
    expect(page.locator("#notes-text")).to_have_value("mine\n\n---\n\ntheirs")
    expect(page.locator("#notes-conflict")).to_be_hidden()
    page.locator("#notes-save").click()
    expect(page.locator("#notes-read")).to_contain_text("version 2")
    expect(page.locator("#notes-read")).to_contain_text("mine")
    expect(page.locator("#notes-read")).to_contain_text("1 earlier")


def test_what_was_not_saved_is_taken_up_again(page: Page, address: str) -> None:
    Training(address, "left").train(9)
    page.goto(f"{address}/runs/left/notes")
    page.locator("#notes-edit").click()
    page.locator("#notes-text").press_sequentially("half a sent")
    expect(page.locator("#notes-preview")).to_have_text("half a sent")
    page.reload()
    expect(page.locator("#notes-text")).to_have_value("half a sent")

    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("#notes-cancel").click()
    expect(page.locator("#notes-read")).to_contain_text("Nobody has written")
