"""The system page of a run: where the time goes, live, with its ranks, and what it says where nothing is known."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_ranks_page import Together
from tests.browser.training import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
TIMES = {
    "seconds/data": lambda step: 0.002,
    "seconds/forward": lambda step: 0.01,
    "seconds/backward": lambda step: 0.02,
    "seconds/optimizer": lambda step: 0.004,
    "seconds/step": lambda step: 0.04,
    "overhead_fraction": lambda step: 0.05,
    "system/cpu_percent": lambda step: 90.0,
}
PLOT = "document.querySelector('#g-step-time .js-plotly-plot')"
# of the areas from the bottom up: the colour drawn, and that of its key
COLOURS = (
    """() => [...document.querySelectorAll('#g-step-time .fills path')].map(path => getComputedStyle(path).fill)"""
)
KEYS = """() => {
  const colour = name => {
    const probe = document.body.appendChild(document.createElement('i'));
    probe.style.color = `var(--tv-${name})`;
    return getComputedStyle(probe).color;
  };
  return ['s2', 's1', 's3', 's4'].map(colour);
}"""


def test_where_a_steps_time_goes_is_said_drawn_and_grows(page: Page, address: str) -> None:
    training = Training(address, "timed", more=dict(TIMES))
    training.train(60)
    page.goto(f"{address}/runs/timed/system")
    expect(page.locator(".tv-steptime .tv-sys-said")).to_contain_text("50% of it is the backward pass")
    expect(page.locator("#system")).to_contain_text("sampled densely")
    expect(page.locator("#system")).to_contain_text("No NVIDIA GPU")
    page.wait_for_selector("#g-step-time .js-line", state="attached")
    assert page.evaluate(COLOURS) == page.evaluate(KEYS)

    expect(page.locator("#live-word")).to_have_text("Live")
    training.train(40)
    page.wait_for_function(f"() => {PLOT}._fullData.every(line => line.x.at(-1) === 99)")


def test_ranks_are_beside_one_another_here_too(page: Page, address: str) -> None:
    Together(address, "together").train()
    page.goto(f"{address}/runs/together/system")
    expect(page.locator("#ranks-said")).to_contain_text("Rank 2 stands apart")


def test_a_run_that_nothing_watches_says_what_to_do(page: Page, address: str) -> None:
    Training(address, "bare").train(20)
    page.goto(f"{address}/runs/bare/system")
    expect(page.locator(".tv-col").first).to_contain_text("run.watch(model, optimizer)")
    expect(page.locator(".tv-machine")).to_contain_text("while a model is watched")
