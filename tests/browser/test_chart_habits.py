"""What everybody does with a chart: save it, share it, show it elsewhere, print it."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.accessibility import violations
from tests.browser.training import HEADERS, LAYERS, Training
from trainvitals.wire import coding
from trainvitals.wire.messages import RunStart

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
SURFACES = {"dark": (0x12, 0x18, 0x20), "light": (0xFF, 0xFF, 0xFF)}  # theme.py's
LINE = ".js-plotly-plot .js-line"
LAST_X = "() => document.querySelector('#g-loss .js-plotly-plot')?._fullData?.[2]?.x.at(-1)"
SHOWN_PLOTS = "() => [...document.querySelectorAll('.js-plotly-plot')].filter(plot => plot.checkVisibility()).length"
ON_PAPER = "() => ['.tv-rail', '.tv-header', '.tv-tabs'].filter(name => document.querySelector(name).checkVisibility())"


@pytest.fixture
def bare(browser: Browser) -> Iterator[Page]:
    """A tab that may not copy, as that of a page that comes over http from another machine."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    yield page
    context.close()


def chart(page: Page, key: str) -> Locator:
    return page.locator(f"[data-chart='{key}']")


def open_run(page: Page, address: str, run_id: str, query: str = "") -> None:
    page.goto(f"{address}/runs/{run_id}{query}")
    expect(page.locator(f"#g-loss {LINE}").first).to_be_attached()
    expect(page.locator("#g-heat .heatmaplayer image").first).to_be_attached()


def choose(page: Page, where: Locator, word: str) -> None:
    where.hover()
    where.get_by_role("button", name=re.compile("^Save or share")).click()
    page.get_by_role("menuitem", name=re.compile(f"^{word}")).click()


def taken(page: Page, where: Locator, word: str) -> tuple[str, bytes]:
    """The name of the file that a menu's item gives, and the file."""
    with page.expect_download() as started:
        choose(page, where, word)
    return started.value.suggested_filename, Path(started.value.path()).read_bytes()


def table(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode())))


def asked(address: str, path: str) -> Any:  # Any: JSON
    return httpx2.get(f"{address}/api/v1/runs/{path}").json()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_an_image_is_the_chart_in_the_colours_that_one_sees(page: Page, address: str, scheme: Any) -> None:
    Training(address, "seen").train(60)
    page.emulate_media(color_scheme=scheme)
    open_run(page, address, "seen")
    box = page.locator("#g-loss .js-plotly-plot").bounding_box()
    assert box is not None
    name, picture = taken(page, chart(page, "g-loss"), "Image")
    points = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
    background = np.array(SURFACES[scheme])

    assert name == "net_seen-Loss_over_steps.png"
    assert points.shape[1] == pytest.approx(2 * box["width"], abs=2)
    assert points.shape[0] > 2 * box["height"]  # with its title and its key
    assert (points[[0, 0, -1, -1], [0, -1, 0, -1]] == background).all()
    assert 0.005 < (np.abs(points.astype(int) - background).max(axis=2) > 40).mean() < 0.3
    accent = {"dark": (0x56, 0xB4, 0xE9), "light": (0x00, 0x72, 0xB2)}[scheme]  # the loss's own
    assert (np.abs(points.astype(int) - accent).max(axis=2) < 12).sum() > 300


def test_a_drawing_stands_by_itself(page: Page, address: str) -> None:
    Training(address, "drawn").train(60)
    open_run(page, address, "drawn")
    name, text = taken(page, chart(page, "g-loss"), "Drawing")

    assert name.endswith(".svg")
    drawing = text.decode()
    assert "net drawn · Loss over steps" in drawing
    assert "smoothed" in drawing  # the key stands beside the plot on the page
    assert "var(--" not in drawing
    assert re.findall(r'(?:href|src)="(?!data:|#)', drawing) == []  # nothing that would have to be fetched
    page.set_content(drawing)
    assert page.evaluate("document.querySelector('svg').getBBox().width") > 300


def test_points_are_those_of_the_server(page: Page, address: str) -> None:
    ill = {12: float("nan"), 13: float("inf"), 14: float("-inf")}
    Training(address, "told").train(30, loss=lambda step: ill.get(step, 1.1 / (1 + step)))
    open_run(page, address, "told")
    curve = asked(address, "told/curve?metric=loss&points=20000")
    rows = table(taken(page, chart(page, "g-loss"), "Points")[1])
    assert [(int(row["step"]), row["value"]) for row in rows][12:15] == [
        (12, "NaN"),
        (13, "Infinity"),
        (14, "-Infinity"),
    ]
    assert [float(row["value"]) for row in rows[:12]] == curve["mean"][:12]

    cells = table(taken(page, chart(page, "g-heat"), "Points")[1])
    heat = asked(address, "told/heatmap?stat=update_ratio&buckets=2000")
    assert list(dict.fromkeys(row["layer"] for row in cells)) == LAYERS
    assert [float(row["value"]) for row in cells] == heat["mean"]


def test_a_name_is_no_formula_and_an_envelope_is_called_one(page: Page, address: str) -> None:
    begin(address, "other", name='=HYPERLINK("x"), "y"')
    for run_id in ("plain", "other"):
        Training(address, run_id).train(2500, watched=False)
    page.goto(f"{address}/compare?runs=plain,other&metric=loss")
    expect(page.locator(f"#g-compare {LINE}").first).to_be_attached()
    rows = table(taken(page, chart(page, "g-compare"), "Points.*an envelope")[1])

    assert {"step", "net plain lowest", "net plain", "net plain highest"} <= rows[0].keys()
    assert '\'=HYPERLINK("x"), "y"' in rows[0]
    assert float(rows[0]["net plain lowest"]) <= float(rows[0]["net plain"]) <= float(rows[0]["net plain highest"])


def begin(address: str, run_id: str, *, name: str) -> None:
    start = RunStart(project="pages", name=name, started_at=time.time())
    httpx2.put(f"{address}/api/v1/runs/{run_id}", content=coding.encode(start), headers=HEADERS).raise_for_status()


def test_a_link_gives_the_same_view_and_leads_to_the_chart(page: Page, address: str) -> None:
    Training(address, "linked").train(60)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_run(page, address, "linked", "?stat=grad_norm")
    choose(page, chart(page, "g-norm"), "Copy link")
    expect(page.get_by_role("status").filter(has_text="Link copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == f"{address}/runs/linked?stat=grad_norm#g-norm"

    page.goto("about:blank")
    page.goto(link)
    expect(page.locator("#heat-stat input:checked")).to_have_value("grad_norm")
    expect(chart(page, "g-norm")).to_be_in_viewport()
    page.get_by_role("button", name="Share or print this page").click()
    page.get_by_role("menuitem", name="Copy link").click()
    expect(page.get_by_role("status").filter(has_text="Link copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith(f"{address}/runs/linked?stat=grad_norm")


def test_where_a_page_may_not_copy_the_link_is_selected(bare: Page, address: str) -> None:
    Training(address, "bare").train(60)
    open_run(bare, address, "bare")
    choose(bare, chart(bare, "g-loss"), "Copy link")
    field = bare.get_by_role("textbox", name="Link")
    expect(field).to_be_focused()
    expect(field).to_have_value(f"{address}/runs/bare#g-loss")
    assert bare.evaluate("getSelection().toString() || document.activeElement.selectionEnd") not in ("", 0)
    bare.keyboard.press("Escape")
    expect(field).to_have_count(0)


def test_embedded_elsewhere_a_chart_is_alone_and_grows(
    page: Page, address: str, notebook: Callable[[str], str], artefacts: Path
) -> None:
    training = Training(address, "embedded")
    training.train(60)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_run(page, address, "embedded")
    choose(page, chart(page, "g-loss"), "Copy embed code")
    expect(page.get_by_role("status").filter(has_text="Embed code copied")).to_be_visible()
    code = page.evaluate("navigator.clipboard.readText()")
    page.goto(notebook(f"<h1>Wiki</h1>{code}"))

    frame = page.frame_locator("iframe[title='net embedded · Loss over steps']")
    expect(frame.locator("[data-embedded] .js-line").first).to_be_attached()
    expect(frame.get_by_role("link")).to_have_text("net embedded · Loss over steps")
    inner = next(one for one in page.frames if "embed=g-loss" in one.url)
    inner.wait_for_function(f"({SHOWN_PLOTS})() === 1")
    assert not inner.evaluate("document.querySelector('.tv-rail').checkVisibility()")
    height = inner.evaluate("document.querySelector('[data-embedded] .main-svg').getBoundingClientRect().height")
    assert 240 < height < 360
    inner.wait_for_function(f"({LAST_X})() === 59")
    training.train(40)
    inner.wait_for_function(f"({LAST_X})() === 99")
    page.screenshot(path=artefacts / "embedded.png")


def test_on_paper_are_light_charts_and_nothing_to_click_on(page: Page, address: str, artefacts: Path) -> None:
    Training(address, "printed").train(60)
    open_run(page, address, "printed")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")

    assert page.evaluate(ON_PAPER) == []
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "light")
    expect(page.locator(".tv-printed")).to_contain_text(f"{address}/runs/printed")
    expect(page.locator(".tv-printed")).to_contain_text("printed")
    widths = page.evaluate("[...document.querySelectorAll('.main-svg')].map(svg => svg.getBoundingClientRect().right)")
    assert max(widths) <= 700
    assert page.evaluate("document.querySelector('#g-loss .main-svg').getBoundingClientRect().width") > 600
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    assert len(page.evaluate(ON_PAPER)) == 3
    page.wait_for_function("document.querySelector('#g-loss .main-svg').getBoundingClientRect().width > 700")
    assert page.pdf(path=artefacts / "printed.pdf", print_background=True).count(b"/Type /Page\n") <= 4


def test_all_charts_are_drawn_before_the_page_is_printed(page: Page, address: str) -> None:
    Training(address, "whole", more={f"val/{at}": float for at in range(60)}).train(20)
    page.add_init_script("window.print = () => { window.printed = true; }")
    page.goto(f"{address}/runs/whole/metrics")
    expect(page.locator(f".tv-mc {LINE}").first).to_be_attached()
    assert page.locator(".tv-mc .js-plotly-plot").count() < 63
    page.get_by_role("button", name="Share or print this page").click()
    page.get_by_role("menuitem", name="Print").click()
    page.wait_for_function("window.printed")
    expect(page.locator(".tv-mc .js-plotly-plot")).to_have_count(63)


def test_the_menu_is_everybody_s(page: Page, address: str) -> None:
    Training(address, "keys").train(60)
    open_run(page, address, "keys")
    opener = page.get_by_role("button", name="Save or share: Loss over steps")
    expect(opener).to_have_css("opacity", "0")
    opener.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    expect(opener).to_have_css("opacity", "1")
    page.keyboard.press("Enter")
    items = page.get_by_role("menuitem")
    expect(items.first).to_be_focused()
    assert [str(one) for one in violations(page) if ".tv-cmenu" in str(one) or "data-menu" in str(one)] == []
    page.keyboard.press("ArrowDown")
    expect(items.nth(1)).to_be_focused()
    page.keyboard.press("End")
    expect(items.last).to_be_focused()
    page.keyboard.press("Escape")
    expect(items).to_have_count(0)
    expect(opener).to_be_focused()
