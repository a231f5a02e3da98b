"""A close look is asked for on the page of a run, by mouse or keyboard, and the page says what becomes of it."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.training import HEADERS, Training
from trainvitals.wire import coding
from trainvitals.wire.capture import CaptureAnswer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]


def test_a_close_look_is_asked_for_followed_and_over_with_the_run(page: Page, address: str, artefacts: Path) -> None:
    training = Training(address, "looked-at", more={"loss/data": lambda _: 1.0, "loss/regularisation": lambda _: 0.1})
    training.train(60)
    page.goto(f"{address}/runs/looked-at")
    expect(page.locator("#live-word")).to_have_text("Live")
    button, said = page.get_by_role("button", name="Capture"), page.locator("#capture-said")
    expect(said).to_be_empty()
    page.screenshot(path=artefacts / "capture-before.png")

    button.focus()
    page.keyboard.press("Enter")
    expect(said).to_have_text("Asked; the training will sample its next 20 steps.")
    expect(button).to_be_focused()
    page.screenshot(path=artefacts / "capture-asked.png", full_page=True)

    answer = CaptureAnswer(number=1, outcome="begun", step=60)
    httpx2.put(f"{training.base}/capture", content=coding.encode(answer), headers=HEADERS).raise_for_status()
    expect(said).to_have_text("Sampling steps 60 to 79.")
    training.train(21)
    expect(said).to_have_text("Captured steps 60 to 79.")
    page.emulate_media(color_scheme="light")
    page.screenshot(path=artefacts / "capture-done.png")

    training.end()
    expect(button).to_be_hidden()
