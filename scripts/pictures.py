"""Takes the pictures of docs/pictures anew, from the demo's runs as they ended: 1440 × 900, dark and light.

Run as ``make pictures``; it takes as long as the demo, some minutes.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
from playwright.sync_api import Page, sync_playwright

PICTURES: Final = Path(__file__).parents[1] / "docs" / "pictures"
SCHEMES: Final = ("dark", "light")
SICK: Final = "digits-deep-sigmoid"
RUNS: Final = 3
PATIENCE_SECONDS: Final = 900.0
SETTLED_MS: Final = 4000.0  # then findings, layers and all charts are drawn
CURVES: Final = ".js-plotly-plot .scatterlayer .js-line"
SYSTEM_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def demo() -> Iterator[str]:
    """The address of a demo; it is stopped at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TRAINVITALS_DIR": f"{folder}/spool"}
        command = [sys.executable, "-m", "trainvitals.command", "demo", "--port", str(port), "--data", folder]
        process = subprocess.Popen(command, env=environment)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def ended(address: str) -> dict[str, str]:
    """Ids of the demo's runs by name, once all have ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(2)
        try:
            runs: list[dict[str, Any]] = httpx2.get(f"{address}/api/v1/runs").json()["runs"]
        except httpx2.TransportError:
            continue
        if len(runs) == RUNS and all(run["status"] != "running" for run in runs):
            return {run["name"]: run["run_id"] for run in runs}
    raise SystemExit("the demo's runs do not end")


def picture(page: Page, address: str, drawn: str, name: str) -> None:
    """One page, when ``drawn`` is to be seen and nothing moves any more."""
    page.goto(address)
    page.wait_for_selector(drawn)
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=PICTURES / f"{name}.png")
    print(f"{name}.png")


def main() -> None:
    """Train, look, store."""
    with demo() as address, sync_playwright() as playwright:
        runs = ended(address)
        own = playwright.chromium.executable_path
        browser = playwright.chromium.launch(
            executable_path=own if Path(own).exists() else next(filter(None, map(shutil.which, SYSTEM_BROWSERS))),
            args=["--no-sandbox", "--disable-gpu"],
        )
        for scheme in SCHEMES:
            page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
            picture(page, address, ".ag-center-cols-container .ag-row", f"runs-{scheme}")
            picture(page, f"{address}/runs/{runs[SICK]}", f"#g-loss {CURVES}", f"run-{scheme}")
            picture(
                page, f"{address}/compare?runs={','.join(runs.values())}", f"#g-compare {CURVES}", f"compare-{scheme}"
            )
        browser.close()


if __name__ == "__main__":
    main()
