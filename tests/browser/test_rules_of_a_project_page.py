"""Who looks at a run sees which rules do not judge it, and from there what its project says of them."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.training import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]


def say(address: str, **said: object) -> None:
    httpx2.put(f"{address}/api/v1/projects/pages/rules", json=said).raise_for_status()


def test_muted_rules_are_told_on_the_run_and_in_the_project(page: Page, address: str, artefacts: Path) -> None:
    training = Training(address, "muted")
    training.train(30)
    say(address, muted=["overfitting"], by="Ada", comment="few examples, on purpose")
    say(address, muted=["overfitting", "loss_spike"], options={"same_batch": {"samples": 16}}, by="Bob")
    page.goto(f"{address}/runs/muted")
    mutes = page.locator("#findings .tv-mutes")
    expect(mutes).to_contain_text("Overfitting in the project by Bob")
    page.screenshot(path=artefacts / "rules-run.png", full_page=True)

    page.locator("#findings").get_by_role("link", name="Rules", exact=True).click()
    said = page.locator(".tv-project-rules")
    expect(said).to_contain_text("version 2, by Bob")
    expect(said).to_contain_text("same_batch.samples = 16")
    said.get_by_text("1 earlier").click()
    expect(said).to_contain_text("few examples, on purpose")
    expect(page.locator(".tv-rules .tv-tag")).to_have_text(["muted", "muted", "set"])
    page.screenshot(path=artefacts / "rules-project-dark.png")
    page.emulate_media(color_scheme="light")
    page.screenshot(path=artefacts / "rules-project-light.png")


def test_all_rules_are_listed_without_a_project(page: Page, address: str) -> None:
    page.goto(f"{address}/rules")
    expect(page.locator(".tv-rules li").first).to_be_visible()
    expect(page.locator(".tv-project-rules")).to_have_count(0)


def test_rules_are_found_by_what_they_say_and_the_address_keeps_what_was_searched(page: Page, address: str) -> None:
    page.goto(f"{address}/rules")
    page.get_by_label("Search rules").fill("softmax NEGATIVE")
    expect(page.locator(".tv-rules li:visible")).to_have_count(1)
    expect(page.locator(".tv-rulebook section:visible")).to_have_count(1)
    expect(page.locator("#rules-count")).to_contain_text("1 of ")
    page.reload()
    expect(page.locator(".tv-rules li:visible")).to_have_text([re.compile("Softmax twice")])
    page.get_by_label("Search rules").fill("no rule has these words")
    expect(page.get_by_text("No rule says so.")).to_be_visible()
