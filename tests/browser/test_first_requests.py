"""What a page asks for as it begins: each thing once, before Dash has run, and nothing that it does not show."""

from __future__ import annotations

import re

import httpx2
import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.training import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    # pytest-base-url, which pytest-playwright brings, declares its fixture in a way that pytest 10 will refuse
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]

DRAWN = "#g-loss .js-plotly-plot .scatterlayer .js-line"
SUITES = "/_dash-component-suites/"


def asked(page: Page) -> list[Request]:
    """All requests of the tab from now on, as they go out."""
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request))
    return requests


def count(requests: list[Request], address: str, body: str = "") -> int:
    return sum(address in request.url and body in (request.post_data or "") for request in requests)


def test_layout_callbacks_content_and_plotly_are_asked_for_once(page: Page, address: str) -> None:
    Training(address, "one").train(30)
    requests = asked(page)
    page.goto(f"{address}/runs/one?stat=grad_norm")
    expect(page.locator(DRAWN).first).to_be_attached()

    assert count(requests, "_dash-layout") == count(requests, "_dash-dependencies") == 1
    assert count(requests, "_dash-update-component", '"output":".._pages_content.children') == 1
    assert count(requests, "plotly.min.js") == 1


def test_the_content_is_asked_for_before_dash_has_run(page: Page, address: str) -> None:
    Training(address, "early").train(30)
    requests = asked(page)
    page.route("**/dash_renderer*", lambda route: None)  # never comes
    page.goto(f"{address}/runs/early", wait_until="commit")

    with page.expect_response(lambda response: "_dash-update-component" in response.url) as content:
        pass
    assert "g-loss" in content.value.text()
    assert count(requests, "plotly.min.js") == 1


def test_the_next_page_is_asked_for_anew(page: Page, address: str) -> None:
    Training(address, "two").train(30)
    page.goto(f"{address}/runs/two")
    expect(page.locator(DRAWN).first).to_be_attached()
    requests = asked(page)
    page.locator(".tv-tabs a", has_text="Settings").click()
    page.locator(".tv-tabs a", has_text="Overview").click()
    expect(page.locator(DRAWN).first).to_be_attached()

    assert count(requests, "_dash-update-component", '"output":".._pages_content.children') == 2


def test_the_table_is_fetched_by_the_page_that_shows_one(page: Page, address: str) -> None:
    Training(address, "three").train(30)
    requests = asked(page)
    page.goto(f"{address}/runs/three")
    expect(page.locator(DRAWN).first).to_be_attached()
    assert count(requests, "dash_ag_grid") == 0

    page.locator(".tv-rail-a").first.click()
    expect(page.locator("#runs-grid .ag-row")).to_have_count(1)
    page.go_back()
    expect(page.locator(DRAWN).first).to_be_attached()
    page.go_forward()
    expect(page.locator("#runs-grid .ag-row")).to_have_count(1)
    assert count(requests, "dash_ag_grid.min.js") == 1


def test_every_script_of_a_page_may_be_kept_with_what_was_compiled_of_it(address: str) -> None:
    page = httpx2.get(f"{address}/runs/any").text
    scripts = [*re.findall(r'<script src="([^"]+)"', page), *re.findall(rf'"({SUITES}[^"]+\?[^"]+)"', page)]
    assert any("plotly" in script for script in scripts)

    for script in scripts:
        answer = httpx2.get(address + script)
        assert "immutable" in answer.headers["Cache-Control"], script
        assert answer.status_code == 200


def test_what_stands_under_another_mark_is_not_kept(address: str) -> None:
    answer = httpx2.get(f"{address}{SUITES}plotly/package_data/plotly.min.js?0123456789abcdef")
    assert answer.headers["Cache-Control"] == "no-cache"
