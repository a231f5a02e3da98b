"""The checklist on a run's page, and what changed since the last healthy run: two real trainings of one project."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn

import trainvitals as tv
from tests.browser.training import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
STEPS = 150
PATIENCE_MS = 40_000


def train(address: str, folder: Path, name: str, *, lr: float, width: int = 32) -> str:
    """A small classifier under the SDK; its run's id."""
    torch.manual_seed(0)
    inputs = torch.randn(512, 16)
    labels = (inputs[:, :8].sum(1) > 0).long() + 2 * (inputs[:, 8:].sum(1) > 0).long()
    model = nn.Sequential(nn.Linear(16, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    config = {"lr": lr, "width": width, "seed": 0, "data": "four corners v1"}
    with tv.init(project="corners", name=name, config=config, server_url=address, directory=folder) as run:
        run.watch(model, optimizer)
        for _ in range(STEPS):
            picked = torch.randint(0, len(inputs), (64,))
            loss = nn.functional.cross_entropy(model(inputs[picked]), labels[picked])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log({"loss": loss})
    return run.run_id


def test_says_where_to_begin_and_what_changed(page: Page, address: str, tmp_path: Path, artefacts: Path) -> None:
    train(address, tmp_path / "spool", "all is well", lr=0.1)
    sick = train(address, tmp_path / "spool", "a bold try", lr=1e4, width=48)
    card, changed = page.locator(".tv-checklist"), page.locator(".tv-changes")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{address}/runs/{sick}")
        page.wait_for_selector(".tv-checklist details")
        expect(card.locator("details")).to_have_count(5)
        expect(card.locator("details[open]")).to_have_count(0)  # what failed is all told by findings
        expect(changed).to_contain_text("since all is well")
        page.wait_for_selector("#g-loss .js-plotly-plot .scatterlayer .js-line")
        page.screenshot(path=artefacts / f"checklist-{scheme}.png", full_page=True)

    expect(changed.locator("dt", has_text="width")).to_be_visible()
    expect(changed).to_contain_text("part from step")
    card.locator(".tv-pf-failed summary").first.click()
    card.locator("summary", has_text="Track the work").click()
    expect(card.get_by_text("No validation is logged").last).to_be_visible()
    card.locator("[data-finding]").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("Evidence")


def test_a_healthy_run_without_a_preflight_is_told_how_to_make_one(
    page: Page, address: str, tmp_path: Path, artefacts: Path
) -> None:
    well = train(address, tmp_path / "spool", "all is well", lr=0.1)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{address}/runs/{well}")
    card = page.locator(".tv-checklist")
    page.wait_for_selector(".tv-checklist details")

    expect(card.locator("details[open]")).to_have_count(0)
    expect(page.locator(".tv-changes")).to_have_count(0)
    card.locator("summary", has_text="Start simple").click()
    expect(card.get_by_text("tv.preflight(model, loss_fn, (inputs, targets), optimizer)").first).to_be_visible()
    card.screenshot(path=artefacts / "checklist-phone.png")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390


def test_what_was_too_early_to_tell_is_told_while_one_looks(page: Page, address: str) -> None:
    training = Training(address, "young")
    training.train(30)
    page.goto(f"{address}/runs/young")
    page.wait_for_selector(".tv-checklist details")
    card = page.locator(".tv-checklist")
    card.locator("summary", has_text="Diagnose the settings").click()
    expect(card.get_by_text("Step 29 is too early to tell").last).to_be_visible(timeout=PATIENCE_MS)
    training.train(600)
    expect(card.get_by_text("too early to tell")).to_have_count(0, timeout=PATIENCE_MS)
    expect(card.locator(".tv-cl-chip", has_text="Loss spike")).to_be_visible()


def test_that_many_rules_cannot_look_is_told_without_a_click(page: Page, address: str) -> None:
    Training(address, "unheard").train(60)
    page.goto(f"{address}/runs/unheard")
    told = page.locator(".tv-cl-blind", has_text="no loss function of torch.nn.functional was seen at work")
    expect(told).to_contain_text("rules cannot look")
    expect(told).to_contain_text("run.watch")
