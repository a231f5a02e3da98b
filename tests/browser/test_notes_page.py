"""What a script notes while one looks at its run."""

from __future__ import annotations

import time
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.training import HEADERS, Training
from trainvitals.wire import coding
from trainvitals.wire.messages import RunStart
from trainvitals.wire.notes import Alert, MetricDefinition, Note

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]


def note(training: Training, seq: int, **said: object) -> None:
    message = coding.encode(Note(writer=1, seq=seq, **said))  # type: ignore[arg-type]  # the fields are mixed
    httpx2.post(f"{training.base}/notes", content=message, headers=HEADERS).raise_for_status()


def test_alerts_settings_and_results_appear_as_they_are_noted(page: Page, address: str, artefacts: Path) -> None:
    training = Training(address, "noted", more={"accuracy": lambda step: step / 100})
    training.train(60)
    page.goto(f"{address}/runs/noted")
    expect(page.locator("#live-word")).to_have_text("Live")
    expect(page.locator("#alerts")).to_be_empty()

    note(training, 0, config={"warm-up": 500}, metrics={"accuracy": MetricDefinition(goal="maximize")})
    expect(page.locator("#settings")).to_contain_text("warm-up")
    expect(page.locator("#settings")).to_contain_text("accuracy · max")
    note(
        training, 1, summary={"best epoch": 7},
        alerts=[Alert(title="Low accuracy", text="below 0.5", level="critical", step=59)],
    )  # fmt: skip
    expect(page.locator("#alerts")).to_contain_text("Low accuracy")
    expect(page.locator("#alerts")).to_contain_text("step 59")
    expect(page.locator("#settings")).to_contain_text("best epoch")
    page.screenshot(path=artefacts / "notes.png", full_page=True)


def test_what_was_unfolded_stays_unfolded_when_its_card_is_drawn_anew(page: Page, address: str) -> None:
    started = RunStart(project="pages", name="unfolded", started_at=time.time(), environment={"host": "box"})
    httpx2.put(f"{address}/api/v1/runs/unfolded", content=coding.encode(started), headers=HEADERS).raise_for_status()
    training = Training(address, "unfolded")
    training.train(9)
    page.goto(f"{address}/runs/unfolded")
    expect(page.locator("#live-word")).to_have_text("Live")
    page.locator(".tv-settings summary").click()
    expect(page.locator(".tv-settings details").get_by_text("box")).to_be_visible()
    page.locator(".tv-settings details").evaluate("at => at.setAttribute('data-before', '')")
    note(training, 0, summary={"best epoch": 7})
    expect(page.locator("#settings")).to_contain_text("best epoch")
    expect(page.locator(".tv-settings details:not([data-before])").get_by_text("box")).to_be_visible()


def test_page_and_table_show_the_loss_that_the_script_defines(page: Page, address: str, artefacts: Path) -> None:
    training = Training(address, "defined", more={"objective": lambda step: 0.125, "unseen": lambda step: 0.5})
    roles = {"objective": MetricDefinition(role="loss"), "uns*": MetricDefinition(role="validation_loss")}
    note(training, 0, metrics=roles)
    training.train(60)

    page.goto(f"{address}/runs/defined")
    expect(page.locator("#kpis")).to_contain_text("0.125")
    expect(page.locator("#loss-key")).to_contain_text("validation")
    page.screenshot(path=artefacts / "defined-loss.png", full_page=True)

    page.goto(address)
    row = page.locator(".ag-row", has_text="net defined")
    expect(row.locator("[col-id=loss]")).to_have_text("0.125")
