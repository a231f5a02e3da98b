"""A run with many findings: neither column is left empty, and on a phone what is wrong comes first."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn

import trainvitals as tv

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
STEPS = 600
LONGER = 1.2  # times the other column, at most
HEIGHTS = """() => [...document.querySelectorAll('.tv-grid > .tv-col')].map(column => column.scrollHeight)"""
TOP = "id => document.getElementById(id).getBoundingClientRect().top"


@pytest.fixture
def sick(address: str, tmp_path: Path) -> str:
    """The address of a run in which nearly all is wrong."""
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Linear(32, 64).requires_grad_(False)]
    for index in range(6):
        layers += [nn.Sigmoid() if index % 2 else nn.ReLU(), nn.Dropout(0.8), nn.Linear(64, 64)]
    model = nn.Sequential(*layers, nn.Linear(64, 10), nn.Softmax(-1))
    optimizer = torch.optim.SGD(model.parameters(), lr=3.0, momentum=0.95)
    inputs, labels = torch.randn(64, 32) * 200 + 500, torch.zeros(64, dtype=torch.long)
    with tv.init(project="ills", name="nearly all is wrong", server_url=address, directory=tmp_path / "spool") as run:
        run.watch(model, optimizer, every=10)
        for _ in range(STEPS):
            loss = nn.functional.cross_entropy(model(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log({"loss": loss, "accuracy": 0.1})
    return f"{address}/runs/{run.run_id}"


def test_many_findings_leave_no_column_empty_and_come_first_on_a_phone(page: Page, sick: str, artefacts: Path) -> None:
    page.goto(sick)
    fold = page.locator(".tv-findings details")
    page.wait_for_selector(".tv-checklist details")
    page.wait_for_selector("#g-loss .js-plotly-plot .scatterlayer .js-line")
    expect(page.locator(".tv-findings .tv-timeline").first.locator("> li")).to_have_count(4)
    left, right = page.evaluate(HEIGHTS)
    assert max(left, right) <= LONGER * min(left, right)
    page.screenshot(path=artefacts / "sick.png", full_page=True)

    expect(fold.locator(".tv-tl").last).to_be_hidden()
    fold.locator("summary").click()
    fold.locator(".tv-tl-btn").last.click()
    expect(page.get_by_role("dialog")).to_contain_text("Evidence")

    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate(TOP, "findings") < page.evaluate(TOP, "g-loss") < page.evaluate(TOP, "checklist")
    page.wait_for_function("() => document.documentElement.scrollWidth <= 390")  # when the charts have followed
    page.screenshot(path=artefacts / "sick-phone.png")
