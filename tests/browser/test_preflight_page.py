"""The preflight on a run's page: there when there was one, opened where something failed, read without colours."""

from __future__ import annotations

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.training import HEADERS, Training
from trainvitals.wire import coding
from trainvitals.wire.preflight import PreflightCheck, PreflightReport

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
CHECKS = [
    PreflightCheck(name="input_scale", stage="start simple", status="passed", summary="numbers of size 1"),
    PreflightCheck(
        name="softmax_before_loss",
        stage="confirm the loss",
        status="failed",
        summary="softmax goes into a cross entropy that applies it again",
        numbers={"lowest loss possible": 1.46},
        advice=["Let the model return logits."],
    ),
]


def send(training: Training) -> None:
    content = coding.encode(PreflightReport(checks=CHECKS))
    httpx2.put(f"{training.base}/preflight", content=content, headers=HEADERS).raise_for_status()


def test_a_failed_check_is_open_and_a_passed_one_opens(page: Page, address: str) -> None:
    training = Training(address, "checked")
    send(training)
    training.train(9)
    page.goto(f"{address}/runs/checked")
    card = page.locator(".tv-preflight")
    expect(card).to_contain_text("1 failed · 1 passed")
    expect(card.get_by_text("Let the model return logits.")).to_be_visible()
    expect(card.get_by_text("Numbers of size 1")).to_be_hidden()
    card.get_by_text("Input scale").click()
    expect(card.get_by_text("Numbers of size 1")).to_be_visible()


def test_a_preflight_made_while_one_looks_appears_with_the_first_metrics(page: Page, address: str) -> None:
    training = Training(address, "late")
    page.goto(f"{address}/runs/late")
    expect(page.locator("#live-word")).to_have_text("Live")
    expect(page.locator(".tv-preflight")).to_have_count(0)
    send(training)
    training.train(9)
    expect(page.locator(".tv-preflight")).to_contain_text("Softmax before loss")
