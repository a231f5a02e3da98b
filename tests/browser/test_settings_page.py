"""The page of a run's settings: one search for all of it, live, and what was changed and not committed."""

from __future__ import annotations

import time
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_notes_page import note
from tests.browser.training import HEADERS, Training
from trainvitals.wire import coding
from trainvitals.wire.messages import RunStart

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
PATCH = """diff --git a/train.py b/train.py
--- a/train.py
+++ b/train.py
@@ -1 +1 @@
-lr = 1
+lr = 2
"""
ENVIRONMENT = {
    "python": "3.11.9", "torch": "2.7.0", "packages": {"numpy": "2.1.0", "einops": "0.8.0"},
    "revision": "3f2a9c1d77aa-dirty", "diff": "9b1c44aa01fe", "patch": PATCH,
}  # fmt: skip


def begin(address: str, run_id: str) -> Training:
    start = RunStart(project="pages", name=run_id, started_at=time.time(), environment=ENVIRONMENT)
    httpx2.put(f"{address}/api/v1/runs/{run_id}", content=coding.encode(start), headers=HEADERS).raise_for_status()
    return Training(address, run_id)


def test_one_search_finds_settings_and_packages_and_is_in_the_address(page: Page, address: str) -> None:
    training = begin(address, "told")
    training.train(9)
    note(training, 0, config={"optimizer": {"lr": 0.001}, "seed": 17})
    page.goto(f"{address}/runs/told/settings")
    expect(page.locator(".tv-cf")).to_contain_text("seed")

    page.locator("#settings-text").fill("einops")
    expect(page.locator("[data-setting]:visible")).to_have_text(["einops0.8.0"])
    expect(page.locator(".tv-cf")).to_be_hidden()
    page.wait_for_url("**/settings?text=einops")

    page.locator("#settings-text").fill("nothing is called so")
    expect(page.locator("#settings-none")).to_be_visible()

    page.goto(f"{address}/runs/told/settings?text=lr")
    expect(page.locator("[data-setting]:visible")).to_have_text(["lr0.001"])

    expect(page.locator("#live-word")).to_have_text("Live")
    note(training, 1, config={"lr after warm-up": 0.1})  # what comes while one looks is searched, too
    expect(page.locator("[data-setting]:visible")).to_have_count(2)


def test_changes_that_were_not_committed_are_read_with_their_signs(page: Page, address: str, artefacts: Path) -> None:
    begin(address, "changed").train(9)
    page.goto(f"{address}/runs/changed/settings")
    expect(page.locator(".tv-df-add")).to_have_text("+lr = 2")
    expect(page.locator(".tv-df-del")).to_have_text("-lr = 1")
    expect(page.locator(".tv-df-file summary")).to_contain_text("+1−1")
    expect(page.locator(".tv-nochange")).to_contain_text("no healthy run")
    page.screenshot(path=artefacts / "settings.png", full_page=True)

    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
