"""What becomes of a page that is left open while many look: a tab in a real Chromium, and others that follow the feed.

    python -m benchmarks.left_open [--minutes 60] [--a-second 10] [--viewers 20] [--quick]

A run of 200 layers and 100,000 steps goes on at that many updates a second. Told at each tenth of the time: the tab's
heap after a collection, its nodes and listeners, the server's memory, and how long after an update was stored its last
step was drawn in the tab, and received by all others. The heap is to stay where it was after the first tenth; in less
than three minutes it has not filled its charts yet, and is not judged.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import httpx2
import numpy as np
import psutil
from playwright.sync_api import CDPSession, Page, sync_playwright
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from benchmarks.live_page import RUN, fill, first_picture, frame, launched, serving
from trainvitals.wire import coding
from trainvitals.wire.frame import encode_frame

STEPS: Final = 100_000  # that the run has when it is opened
STEPS_PER_UPDATE: Final = 2
MAY_GROW: Final = 1.2  # what the tab draws is bounded; what a collection leaves varies
JUDGED_FROM_SECONDS: Final = 180
PARTS: Final = 10
DRAWN: Final = "() => document.querySelector('#g-loss .js-plotly-plot')._fullData[1].x.at(-1)"


class Viewer(threading.Thread):
    """Follows the feed as a page does: takes an update, and says that it may have the next."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.newest, self.received_bytes = -1, 0
        self._address = f"{address.replace('http', 'ws')}/api/v1/runs/{RUN}/live"

    def run(self) -> None:
        """Until the server is gone."""
        try:
            with connect(self._address, max_size=None) as socket:
                for message in socket:
                    self.received_bytes += len(message)
                    steps, _ = json.loads(message).get("metrics", {}).get("loss", ([], []))
                    self.newest = max([self.newest, *steps])
                    socket.send("a")
        except ConnectionClosed:
            pass


class Tab:
    """What the browser tells of the page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.send("Performance.enable")

    def has_drawn(self, step: int) -> bool:
        """Whether the loss curve ends there, or later."""
        return bool(self.page.evaluate(DRAWN) >= step)

    def sizes(self) -> tuple[float, int, int]:
        """MB of the heap after a collection; nodes; listeners."""
        self._session.send("HeapProfiler.collectGarbage")
        heap = self._session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
        told = {metric["name"]: metric["value"] for metric in self._session.send("Performance.getMetrics")["metrics"]}
        return heap, int(told["Nodes"]), int(told["JSEventListeners"])


def _received(viewers: list[Viewer], step: int) -> bool:
    return min(viewer.newest for viewer in viewers) >= step


def waited(until: float, has_come: Callable[[], bool]) -> float:
    """Milliseconds from now until it has come, or until that time."""
    began = time.perf_counter()
    while time.perf_counter() < until and not has_come():
        time.sleep(0.005)
    return 1000 * (time.perf_counter() - began)


def go_on(
    tab: Tab, viewers: list[Viewer], address: str, *, first: int, seconds: float, rate: float
) -> dict[str, float]:
    """Updates for so long; milliseconds to the tab and to the last of the others, of one update in each second."""
    headers, began = {"Content-Type": coding.MSGPACK}, time.perf_counter()
    drawn, received, sent = [], [], 0
    with httpx2.Client(headers=headers) as client:
        while time.perf_counter() < began + seconds:
            at = first + sent * STEPS_PER_UPDATE
            last = at + STEPS_PER_UPDATE - 1
            one = frame(at // STEPS_PER_UPDATE, first=at, steps=STEPS_PER_UPDATE, every=STEPS_PER_UPDATE)
            client.post(f"{address}/api/v1/runs/{RUN}/frames", content=encode_frame(one)).raise_for_status()
            sent += 1
            if sent % max(1, round(rate)) == 0:
                limit = time.perf_counter() + 20
                received.append(waited(limit, partial(_received, viewers, last)))
                drawn.append(received[-1] + waited(limit, partial(tab.has_drawn, last)))
            tab.page.wait_for_timeout(max(0.0, 1000 * (began + sent / rate - time.perf_counter())))
    return {
        "sent": sent,
        "drawn_p50": float(np.percentile(drawn, 50)),
        "drawn_p95": float(np.percentile(drawn, 95)),
        "received_p95": float(np.percentile(received, 95)),
    }


def main() -> None:
    """Fill, look, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--a-second", type=float, default=10.0, help="updates")
    parser.add_argument("--viewers", type=int, default=20, help="the tab is one of them")
    parser.add_argument("--quick", action="store_true", help="half a minute")
    options = parser.parse_args()
    seconds = 60 * (0.5 if options.quick else options.minutes) / PARTS
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        with serving(folder):
            pass  # writes the database where it will look for it
        fill(f"sqlite:///{next(folder.glob('*.sqlite3'))}", STEPS)
        browser = launched(playwright)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        with serving(folder) as address:
            server = _listening(address)
            _, page = first_picture(context, address)
            viewers = [Viewer(address) for _ in range(options.viewers - 1)]
            for viewer in viewers:
                viewer.start()
            tab, sent, heaps = Tab(page), 0, []
            print(f"{options.viewers} viewers, {options.a_second:g} updates a second, {seconds * PARTS / 60:g} minutes")
            print(
                "minute  updates  heap MB   nodes  listeners  server MB  drawn p50, p95 ms  others p95 ms", flush=True
            )
            for part in range(PARTS):
                first = STEPS + sent * STEPS_PER_UPDATE
                told = go_on(tab, viewers, address, first=first, seconds=seconds, rate=options.a_second)
                sent += int(told["sent"])
                heap, nodes, listeners = tab.sizes()
                heaps.append(heap)
                print(
                    f"{(part + 1) * seconds / 60:6.1f}{sent:9,}{heap:9.1f}{nodes:8,}{listeners:11,}"
                    f"{server.memory_info().rss / 1e6:11.0f}{told['drawn_p50']:12.0f}{told['drawn_p95']:7.0f}"
                    f"{told['received_p95']:15.0f}",
                    flush=True,
                )
            grown = max(heaps[PARTS // 2 :]) / heaps[0]
            print(f"the heap at its most in the second half: {grown:.2f} of the first tenth's, promised {MAY_GROW}")
            print(f"each of the others was sent {viewers[0].received_bytes / 1e6:.1f} MB")
        browser.close()
    if grown > MAY_GROW and seconds * PARTS >= JUDGED_FROM_SECONDS:
        raise SystemExit(1)


def _listening(address: str) -> psutil.Process:
    """The server's process, by the port that it listens at."""
    port = int(address.rsplit(":", 1)[1])
    own = psutil.Process().children(recursive=True)
    return next(one for one in own if any(link.laddr.port == port for link in one.net_connections("inet")))


if __name__ == "__main__":
    main()
