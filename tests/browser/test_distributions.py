"""A layer's drawer shows how its values were distributed, and what was recorded since it was last open."""

from __future__ import annotations

import array
from collections.abc import Sequence

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.training import HEADERS, LAYERS, Training
from trainvitals.wire.frame import Frame, encode_frame
from trainvitals.wire.histograms import BINS, CELLS, Histograms, part

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]

IMAGE = "#g-dist-gradients .heatmaplayer image"
LAYER = LAYERS[2]


def send_histograms(run: Training, steps: Sequence[int], *, writer: int, nonfinite: int = 0) -> None:
    """Of gradients between 2.4e-6 and 6.2e-6, as many below zero, in frames of their own."""
    cells = [0] * CELLS
    cells[BINS // 2 + 5] = cells[BINS // 2 - 6] = 32_767 - nonfinite // 2
    cells[BINS] = nonfinite
    data = array.array("H", cells * (len(LAYERS) * len(steps))).tobytes()
    taken = Histograms(steps=list(steps), layers=LAYERS, parts=[part("gradients", data)])
    frame = Frame(run_id=run.run_id, writer=writer, seq=0, histograms=taken)
    httpx2.post(f"{run.base}/frames", content=encode_frame(frame), headers=HEADERS).raise_for_status()


def open_layer(page: Page) -> None:
    page.locator(f".tv-layers [data-layer='{LAYER}']").first.click()
    expect(page.locator(IMAGE).first).to_be_visible()


def test_distributions_over_time_are_drawn_and_said(page: Page, address: str) -> None:
    run = Training(address, "spread")
    run.train(100)
    send_histograms(run, [0, 20, 40], writer=8)
    page.goto(f"{address}/runs/spread")
    open_layer(page)

    expect(page.get_by_text("Distributions over time")).to_be_visible()
    expect(page.locator("[aria-label='Distribution of gradients over steps']")).to_be_visible()
    expect(page.locator("#g-dist-gradients .ytick text").first).to_be_visible()
    assert page.locator("#g-dist-weights").count() == 0  # nothing was recorded of them
    labels = page.locator("#g-dist-gradients .ytick text").all_text_contents()
    assert {"−1e−6", "0", "1e−6"} <= set(labels)

    plot = page.locator("#g-dist-gradients .nsewdrag")
    box = plot.bounding_box()
    assert box is not None
    rows = 14  # from one bin below the lowest to one above the highest
    plot.hover(position={"x": box["width"] * 0.5, "y": box["height"] * 1.5 / rows})  # once the drawer has slid in
    hover = page.locator("#g-dist-gradients .hoverlayer .hovertext")
    expect(hover).to_contain_text("2.4e−6 to 6.2e−6")
    expect(hover).to_contain_text("step 20 · 50.0%")


def test_a_drawer_that_is_opened_again_shows_what_came_since(page: Page, address: str) -> None:
    run = Training(address, "again")
    run.train(100)
    send_histograms(run, [0, 20], writer=8)
    page.goto(f"{address}/runs/again")
    open_layer(page)
    assert page.locator(IMAGE).count() == 1

    page.get_by_label("Close").click()
    expect(page.locator(IMAGE)).to_have_count(0)
    send_histograms(run, [40], writer=9, nonfinite=1000)
    open_layer(page)
    expect(page.locator("#g-dist-gradients .ytick text", has_text="NaN, ∞")).to_be_visible()
    expect(page.locator(IMAGE)).to_have_count(2)
