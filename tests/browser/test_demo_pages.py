"""The demo in a real browser: its three runs appear, and one sees the sick one fall ill while it goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.postgres import free_port
from tests.project.test_demo import heed_ctrl_c

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
PATIENCE_MS = 120_000.0  # three trainings, a server and a browser share two cores
SICK = "digits-deep-sigmoid"
LAST_STEP = "() => document.querySelector('#g-loss .js-plotly-plot')?._fullData?.[2]?.x.at(-1) ?? -1"
HEAT = "#g-heat .js-plotly-plot .heatmaplayer image"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[str]:
    """The address of the demo, with its real trainings, stopped by Ctrl-C."""
    port = free_port()
    command = [sys.executable, "-m", "trainvitals.command", "demo", "--port", str(port), "--data", str(tmp_path)]
    environment = {**os.environ, "TRAINVITALS_DIR": str(tmp_path / "spool"), "OMP_NUM_THREADS": "1"}
    with (tmp_path / "terminal").open("w+") as terminal:
        process = subprocess.Popen(command, stdout=terminal, stderr=terminal, env=environment, preexec_fn=heed_ctrl_c)
        try:
            while "three trainings have begun" not in (tmp_path / "terminal").read_text():
                with pytest.raises(subprocess.TimeoutExpired):  # an end would be too early
                    process.wait(timeout=0.2)
            yield f"http://127.0.0.1:{port}"
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
            process.wait()


def pictures(page: Page, artefacts: Path, name: str) -> None:
    """As it stands, dark and light."""
    page.screenshot(path=artefacts / f"{name}-dark.png")
    page.locator("#scheme").click()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "light")
    page.screenshot(path=artefacts / f"{name}-light.png")
    page.locator("#scheme").click()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")


def test_the_demo_s_runs_appear_and_the_sick_one_is_named_while_it_goes_on(
    page: Page, demo: str, artefacts: Path
) -> None:
    page.set_default_timeout(PATIENCE_MS)
    page.goto(demo)
    expect(page.locator(".ag-center-cols-container .ag-row")).to_have_count(3, timeout=PATIENCE_MS)
    page.get_by_role("link", name=SICK).click()
    expect(page.locator("h1")).to_have_text(SICK, timeout=PATIENCE_MS)
    expect(page.locator("#live-word")).to_have_text("Live", timeout=PATIENCE_MS)
    page.wait_for_function(f"({LAST_STEP})() >= 0")
    before = page.evaluate(LAST_STEP)
    page.wait_for_function(f"before => ({LAST_STEP})() > before + 50", arg=before)
    finding = page.locator(".tv-tl").filter(has_text="Vanishing gradients").first
    expect(finding).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_selector(HEAT)
    pictures(page, artefacts, "demo-run")
    page.goto(demo)
    expect(page.locator(".ag-center-cols-container .ag-row")).to_have_count(3, timeout=PATIENCE_MS)
    pictures(page, artefacts, "demo-runs")
