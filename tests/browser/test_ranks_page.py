"""Ranks on a run's page: beside one another in a card of their own, and nowhere else."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import numpy as np
import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.browser.training import HEADERS, Training
from trainvitals.wire import coding
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, MetricPoints, encode_frame
from trainvitals.wire.messages import RunEnd, RunStart

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
TRIES = 5
STEPS = 400
PLOT = "document.querySelector('#g-ranks .js-plotly-plot')"
LINES = f"() => {PLOT}._fullData.map(line => line.name)"
LAST = f"() => {PLOT}?._fullData?.find(line => line.name === 'rank 1')?.x.at(-1)"
OWN = "() => document.querySelector('#g-loss .js-plotly-plot')._fullData[2]"
ON_TOP = """() => {
  const plot = document.querySelector('#g-ranks .js-plotly-plot'), area = plot.getBoundingClientRect();
  const line = plot._fullData.find(line => line.name === 'rank 2'), at = line.x.length * 3 / 4 | 0;
  const {xaxis, yaxis} = plot._fullLayout;
  return {x: area.x + xaxis._offset + xaxis.d2p(line.x[at]), y: area.y + yaxis._offset + yaxis.d2p(line.y[at])};
}"""


class Together:
    """Four processes that train one run; rank 2 has a loss of its own."""

    def __init__(self, address: str, run_id: str) -> None:
        self.run_id, self.sent, self.base = run_id, 0, f"{address}/api/v1/runs/{run_id}"
        self._rng = np.random.default_rng(0)
        for rank in (1, 0):  # in the order in which it may well be
            name = f"net {run_id}" if rank == 0 else "as another rank has it"
            start = RunStart(project="pages", name=name, started_at=time.time(), rank=rank, ranks=4)
            httpx2.put(self.base, content=coding.encode(start), headers=HEADERS).raise_for_status()
        self.leader = Training(address, run_id)

    def train(self, steps: int = STEPS) -> None:
        """Rank 0 sends all that it has, the others their own."""
        first = self.leader.step
        self.leader.train(steps, loss=lambda step: self._loss(step))
        for rank in (1, 2, 3):
            self.tell(rank, range(first, first + steps, 2))

    def tell(self, rank: int, at: range) -> None:
        """One frame of a rank beyond the first."""
        named: dict[str, Callable[[int], float]] = {
            "loss": lambda step: self._loss(step) + (0.9 if rank == 2 and step > STEPS / 2 else 0.0),
            "seconds/data": lambda step: 0.01 * (1 + 0.05 * self._rng.random()),
        }
        metrics = [
            MetricPoints(metric=name, steps=list(at), values=Floats.of([compute(step) for step in at]))
            for name, compute in named.items()
        ]
        frame = Frame(run_id=self.run_id, writer=100 + rank, seq=self.sent, rank=rank, metrics=metrics)
        httpx2.post(f"{self.base}/frames", content=encode_frame(frame), headers=HEADERS).raise_for_status()
        self.sent += 1

    def _loss(self, step: int) -> float:
        return 0.5 + 2 * float(np.exp(-step / 60)) + 0.05 * float(self._rng.standard_normal())


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_rank_that_stands_apart_is_seen_and_named(page: Page, address: str, artefacts: Path, scheme: str) -> None:
    Together(address, "together").train()
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two
    page.goto(f"{address}/runs/together")
    expect(page.locator("#run-head")).to_contain_text("net together")
    expect(page.locator(".tv-meta")).to_contain_text("4 ranks")
    expect(page.locator("#ranks-said")).to_contain_text("Rank 2 stands apart")
    expect(page.locator("#ranks-key")).to_have_text("rank 0rank 2others")
    page.wait_for_selector("#g-ranks .js-plotly-plot .scatterlayer .js-line")
    assert page.evaluate(LINES) == ["rank 1", "rank 3", "rank 0", "rank 2"]
    page.locator(".tv-ranks").scroll_into_view_if_needed()
    hover = page.locator("#g-ranks .hoverlayer .hovertext")
    for _ in range(TRIES):  # charts above it may still be drawn, and move it
        at = page.evaluate(ON_TOP)
        page.mouse.move(at["x"] - 40, at["y"])
        page.mouse.move(at["x"], at["y"], steps=4)
        with contextlib.suppress(AssertionError):
            expect(hover).to_contain_text("rank 2", timeout=1000)
            break
    expect(hover).to_contain_text("rank 2")
    page.locator(".tv-ranks").screenshot(path=str(artefacts / f"ranks-{scheme}.png"))


def test_another_metric_can_be_chosen(page: Page, address: str) -> None:
    Together(address, "chosen").train()
    page.goto(f"{address}/runs/chosen")
    expect(page.locator("#ranks-said")).to_contain_text("Rank 2 stands apart")
    page.locator("#ranks-metric").click()
    page.get_by_role("option", name="Waiting for data (s a step)").click()
    expect(page.locator("#ranks-sub")).to_have_text("3 of 4 ranks")
    page.wait_for_function(f"() => {PLOT}._fullData.length === 3 && {PLOT}._fullData[0].y[0] < 0.02")


def test_a_choice_is_not_undone_by_news_that_were_on_their_way(page: Page, address: str) -> None:
    together = Together(address, "torn")
    together.train()
    page.goto(f"{address}/runs/torn")
    expect(page.locator("#live-word")).to_have_text("Live")
    expect(page.locator("#ranks-said")).to_contain_text("Rank 2 stands apart")
    held: list[Route] = []

    def is_news(request: Request) -> bool:
        return "g-ranks.figure" in (said := request.post_data or "") and '"changedPropIds":["live-ranks.data"]' in said

    def hold(route: Route) -> None:
        if is_news(route.request) and not held:
            held.append(route)
        else:
            route.continue_()

    page.route("**/_dash-update-component?*", hold)
    with page.expect_request(is_news):
        together.tell(1, range(STEPS, STEPS + 20, 2))
    page.locator("#ranks-metric").click()
    page.get_by_role("option", name="Waiting for data (s a step)").click()
    with page.expect_response(lambda response: is_news(response.request)):
        held[0].continue_()
    expect(page.locator("#ranks-sub")).to_have_text("3 of 4 ranks")
    page.wait_for_function(f"() => {PLOT}._fullData.length === 3 && {PLOT}._fullData[0].y[0] < 0.02")


def test_points_of_other_ranks_arrive_live_in_the_card_alone(page: Page, address: str) -> None:
    together = Together(address, "growing")
    together.train()
    page.goto(f"{address}/runs/growing")
    expect(page.locator("#live-word")).to_have_text("Live")
    page.wait_for_function(f"({LAST})() === {STEPS - 2}")
    drawn = page.evaluate(f"() => Array.from(({OWN})().x)")

    together.tell(1, range(STEPS, STEPS + 100))

    page.wait_for_function(f"({LAST})() >= {STEPS + 98}")
    assert page.evaluate(f"() => Array.from(({OWN})().x)") == drawn
    page.goto(address)
    shown = f"{httpx2.get(f'{together.base}/curve?metric=loss').json()['mean'][-1]:.4g}"
    expect(page.locator("[row-id=growing] [col-id=loss]")).to_have_text(shown)


def test_a_rank_that_failed_is_named_in_the_head(page: Page, address: str) -> None:
    together = Together(address, "failing")
    together.train()
    page.goto(f"{address}/runs/failing")
    expect(page.locator("#live-word")).to_have_text("Live")
    end = RunEnd(status="failed", ended_at=time.time(), error="CUDA out of memory", rank=3)
    httpx2.put(f"{together.base}/end", content=coding.encode(end), headers=HEADERS).raise_for_status()
    together.leader.end()
    expect(page.locator("#run-head")).to_contain_text("Failed")
    expect(page.locator(".tv-error")).to_have_text("rank 3: CUDA out of memory")


def test_a_run_of_one_process_has_no_card_of_ranks(page: Page, address: str) -> None:
    training = Training(address, "alone")
    training.train(60)
    page.goto(f"{address}/runs/alone")
    page.wait_for_selector("#g-loss .js-plotly-plot .scatterlayer .js-line")
    training.train(30)
    expect(page.locator("[data-live=step]")).to_have_text("89")
    expect(page.locator(".tv-ranks")).to_have_count(0)
    expect(page.locator(".tv-meta")).not_to_contain_text("rank")
