"""How soon a run's page shows, and how it keeps up: 200 layers and 100,000 steps, in a real Chromium.

    python benchmarks/live_page.py [--quick]

First picture: from the click to the loss curve and the heatmap being drawn; cold in a browser that has seen nothing on
a server that has just started, warm in another tab of it. Live: from the moment a frame is stored to its last step
being drawn in the loss curve, at one frame a second; and what that costs the tab's main thread.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import numpy as np
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from trainvitals.wire import coding
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, LayerStats, MetricPoints, encode_frame, sealed, section
from trainvitals.wire.messages import LayerInfo, ModelInfo, RunStart
from trainvitals_server.store.interface import ReceivedFrame
from trainvitals_server.store.opening import open_store

LAYERS = [f"blocks.{number // 4}.{number % 4}" for number in range(200)]
STATS = ("update_ratio", "grad_norm", "zero_fraction", "activation_std")
STRIDE = 100  # steps between snapshots
STEPS_PER_FRAME = 1000
RUN = "big"
BROWSERS = ("google-chrome", "google-chrome-stable", "chromium", "chromium-browser")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")
DRAWN = "#g-loss .js-plotly-plot .scatterlayer .js-line"
PICTURE = f"() => document.querySelector('{DRAWN}') && document.querySelector('#g-heat .heatmaplayer image')"
WATCH = """() => {
  window.longest = 0; window.long = 0;
  new PerformanceObserver(list => list.getEntries().forEach(task => {
    window.longest = Math.max(window.longest, task.duration); window.long += task.duration > 200;
  })).observe({type: 'longtask'});
}"""
REACHED = "step => document.querySelector('#g-loss .js-plotly-plot')._fullData[1].x.at(-1) >= step"


def frame(seq: int, *, first: int, steps: int, every: int) -> Frame:
    """Losses of ``steps`` steps and snapshots of each ``every``-th of them."""
    rng = np.random.default_rng(seq)
    at, looked = list(range(first, first + steps)), list(range(first, first + steps, every))
    loss = 3 / (1 + np.asarray(at) / 5000) + 0.05 * rng.standard_normal(steps)
    shape = (len(LAYERS), len(looked))
    sections = [section(stat, np.exp(0.3 * rng.standard_normal(shape) - 3).astype("<f4").tobytes()) for stat in STATS]
    points = {"loss": loss, "lr": np.full(steps, 1e-3), "grad_norm": np.exp(0.2 * rng.standard_normal(steps))}
    metrics = [MetricPoints(metric=name, steps=at, values=Floats.of(values)) for name, values in points.items()]
    stats = LayerStats(steps=looked, layers=LAYERS, sections=sections)
    return sealed(Frame(run_id=RUN, writer=1, seq=seq, layer_stats=stats, metrics=metrics))


def fill(database: str, count: int) -> None:
    """The run as it is stored, merged."""
    store, now = open_store(database), time.time()
    store.start_run(RUN, RunStart(project="bench", name="big", started_at=now), now=now)
    store.set_model(RUN, ModelInfo(layers=[LayerInfo(name=name, kind="Linear", parameters=1) for name in LAYERS]))
    for seq in range(count // STEPS_PER_FRAME):
        one = frame(seq, first=seq * STEPS_PER_FRAME, steps=STEPS_PER_FRAME, every=STRIDE)
        store.append([ReceivedFrame(frame=one, payload=encode_frame(one), received_at=now)])
        store.merge()
    while store.merge(force=True):
        pass
    store.close()


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A server of its own process on what was filled."""
    command = [sys.executable, "-m", "trainvitals.command", "serve", "--data", str(folder), "--port", "0"]
    environment = {**os.environ, "TRAINVITALS_DIR": str(folder / "spool")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = next(found[0] for line in process.stdout if (found := re.search(r"http://\S+", line)))
        yield address
        process.terminate()


def first_picture(context: BrowserContext, address: str) -> tuple[float, Page]:
    """Seconds, and the page."""
    page, began = context.new_page(), time.perf_counter()
    page.goto(f"{address}/runs/{RUN}", wait_until="commit")
    page.wait_for_function(PICTURE, polling="raf", timeout=60_000)
    return time.perf_counter() - began, page


def keep_up(page: Page, address: str, *, first: int, seconds: int) -> tuple[list[float], float, float, int]:
    """Milliseconds from stored to drawn; the share of the main thread that it took; the longest task, and how many
    were longer than 200 ms."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.evaluate(WATCH)
    headers = {"Content-Type": coding.MSGPACK}
    busy, began, took = _busy(session), time.perf_counter(), []
    for second in range(seconds):
        one = frame(first // STEPS_PER_FRAME + second, first=first + 20 * second, steps=20, every=20)
        target = f"{address}/api/v1/runs/{RUN}/frames"
        httpx2.post(target, content=encode_frame(one), headers=headers).raise_for_status()
        stored = time.perf_counter()
        page.wait_for_function(REACHED, arg=first + 20 * second + 19, polling="raf", timeout=20_000)
        took.append(1000 * (time.perf_counter() - stored))
        page.wait_for_timeout(max(0.0, 1000 * (began + second + 1 - time.perf_counter())))
    share = (_busy(session) - busy) / (time.perf_counter() - began)
    return took, share, page.evaluate("() => window.longest"), page.evaluate("() => window.long")


def _busy(session: object) -> float:
    """Seconds that the tab's main thread has worked."""
    answer = session.send("Performance.getMetrics")  # type: ignore[attr-defined]
    return next(metric["value"] for metric in answer["metrics"] if metric["name"] == "TaskDuration")


def launched(playwright: object) -> Browser:
    """Playwright's Chromium, where it is installed, else the system's."""
    kind = playwright.chromium  # type: ignore[attr-defined]
    own = [kind.executable_path] if Path(kind.executable_path).exists() else []
    return kind.launch(executable_path=next(filter(None, [*own, *map(shutil.which, BROWSERS)])), args=list(FLAGS))


def main() -> None:
    """Fill, look, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps, and of the time")
    options = parser.parse_args()
    count, rounds, seconds = (10_000, 2, 10) if options.quick else (100_000, 5, 60)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        with serving(folder):
            pass  # writes the database where it will look for it
        fill(f"sqlite:///{next(folder.glob('*.sqlite3'))}", count)
        browser = launched(playwright)
        print(f"{len(LAYERS)} layers, {count:,} steps; seconds to the first picture")
        cold, warm = [], []
        for _ in range(rounds):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            with serving(folder) as address:
                cold.append(first_picture(context, address)[0])
                warm.append(first_picture(context, address)[0])
            context.close()
        for word, took, promised in (("cold", cold, 2.5), ("warm", warm, 1.0)):
            print(f"{word:34}{np.median(took):8.2f}{max(took):8.2f}   promised {promised}")
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        with serving(folder) as address:
            _, page = first_picture(context, address)
            page.wait_for_timeout(3000)
            took, share, longest, many = keep_up(page, address, first=count, seconds=seconds)
        print(f"{seconds} s at one frame a second")
        print(
            f"{'stored to drawn, ms, p50 and p95':34}{np.percentile(took, 50):8.0f}{np.percentile(took, 95):8.0f}   ",
            end="",
        )
        print("promised 400")
        print(f"{'main thread busy, %':34}{100 * share:8.1f}")
        print(f"{'longest task, ms':34}{longest:8.0f}   over 200 ms: {many}, promised 0")
        browser.close()


if __name__ == "__main__":
    main()
