"""The pages of layers, of a real training: one finds the ill layer, sees its numbers and its curves, live."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote

import httpx2
import numpy as np
import pytest
import torch
from fastapi import FastAPI
from playwright.sync_api import Page, expect
from torch import nn

import trainvitals as tv
from tests.browser.training import HEADERS, LAYERS, Training
from trainvitals.wire import coding
from trainvitals.wire.frame import Frame, LayerStats, encode_frame, section
from trainvitals.wire.messages import LayerInfo, ModelInfo, RunStart
from trainvitals_server.composition import create_whole
from trainvitals_server.settings import Settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
STEPS = 150
ILL = "blocks.3.1"
FOUND = 12  # layers with ".1" in their name
HEAT = "#g-layers-heat .js-plotly-plot"
SHOWN = f"() => document.querySelector('{HEAT}')?.layout?.meta?.live"
FITS = "() => document.documentElement.scrollWidth <= 390"


class Net(nn.Module):
    """Ten blocks, in the fourth of which all units are dead."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(16, 32)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32)) for _ in range(10))
        self.head = nn.Linear(32, 4)
        nn.init.constant_(self.get_parameter("blocks.3.0.bias"), -50.0)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.embed(inputs)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        return torch.as_tensor(self.head(hidden))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all tests here: one training serves them."""
    return tmp_path_factory.mktemp("layers") / "runs.sqlite3"


@pytest.fixture
def trained(serve: Callable[[FastAPI], str], database: Path, tmp_path: Path) -> str:
    """The address of the run with the dead block."""
    address, known = serve(create_whole(Settings(database=f"sqlite:///{database}"))), database.with_suffix(".run")
    if not known.exists():
        torch.manual_seed(0)
        known.write_text(train(Net(), torch.randn(64, 16), address, tmp_path))
    return f"{address}/runs/{known.read_text()}"


def train(model: nn.Module, inputs: torch.Tensor, address: str, folder: Path, *, steps: int = STEPS) -> str:
    """The run's id."""
    optimizer, labels = torch.optim.AdamW(model.parameters(), lr=1e-3), torch.arange(len(inputs)) % 4
    with tv.init(project="layers", name="a net", server_url=address, directory=folder / "spool") as run:
        run.watch(model, optimizer, every=2)
        for _ in range(steps):
            loss = nn.functional.cross_entropy(model(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log({"loss": loss})
    return run.run_id


def test_a_drawer_leads_to_the_page_of_its_layer_and_all_layers_show_the_ill_one(
    page: Page, trained: str, artefacts: Path
) -> None:
    page.goto(trained)
    page.locator(f".tv-layers [data-layer='{ILL}']").first.click()
    page.get_by_role("link", name="All about this layer").click()
    expect(page.locator(".tv-layername")).to_have_text(ILL)
    expect(page.get_by_role("dialog")).to_have_count(0)
    tab = page.get_by_role("navigation", name="Pages of the run").get_by_role("link", name="Layers")
    tab.click()
    expect(tab).to_have_attribute("aria-current", "page")
    page.wait_for_selector(f"{HEAT} .heatmaplayer image")
    block = page.locator("details[data-fold='layers blocks.3'] > summary")
    expect(block).to_contain_text("Critical · ")
    expect(page.get_by_role("link", name=f"{ILL} · Critical", exact=True)).to_be_visible()
    page.screenshot(path=artefacts / "layers.png", full_page=True)

    marked = page.locator(f"[data-snap='{ILL}'] [data-finding]").first
    expect(marked).to_have_text("1")
    marked.click()
    expect(page.get_by_role("dialog")).to_contain_text("Evidence")
    page.reload()  # the address is that of the finding, too
    expect(page.get_by_role("dialog")).to_contain_text("Evidence")


def test_search_order_and_stat_are_in_the_address(page: Page, trained: str) -> None:
    page.goto(f"{trained}/layers")
    page.wait_for_selector(f"{HEAT} .heatmaplayer image")
    page.get_by_label("Search the names of layers").fill(".1")
    expect(page.locator("[data-snap]")).to_have_count(FOUND)
    page.get_by_text("Worst first").click()
    expect(page.locator("[data-snap]").first).to_have_attribute("data-snap", ILL)
    page.locator("#layers-stat").click()
    page.get_by_role("option", name="Activation mean", exact=True).click()
    page.wait_for_function(f"() => ({SHOWN})()?.heat === 'activation_mean'")

    page.reload()
    page.wait_for_function(f"() => ({SHOWN})()?.heat === 'activation_mean' && ({SHOWN})().layers.length === {FOUND}")
    expect(page.locator("[data-snap]").first).to_have_attribute("data-snap", ILL)
    expect(page.locator(".tv-tree > a").first).to_contain_text(ILL)

    page.locator(f"{HEAT} .nsewdrag").click(position={"x": 200, "y": 8})  # the first row, in the model's order
    expect(page.locator(".tv-layername")).to_have_text("blocks.0.1")
    page.go_back()
    expect(page.locator("[data-snap]")).to_have_count(FOUND)


def test_a_pointer_in_one_chart_of_a_layer_is_a_line_in_all(page: Page, trained: str, artefacts: Path) -> None:
    page.goto(f"{trained}/layers/{ILL}")
    expect(page.locator(".tv-layercard")).to_contain_text("Critical")
    expect(page.locator(".tv-layercard")).to_contain_text("ReLU")
    expect(page.get_by_role("button", name="Dead activations")).to_be_visible()
    page.get_by_role("link", name="Previous layer: blocks.3.0").click()
    expect(page.locator(".tv-layername")).to_have_text("blocks.3.0")
    charts = page.locator("#layer-charts .js-plotly-plot")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.tv-linked .js-plotly-plot')].every(p => p._fullLayout)"
    )
    chart = page.locator("[aria-label='Weight norm over steps']")
    said = page.locator("#layer-charts .tv-metrics > div", has=chart).locator("[data-at]")
    newest = said.text_content()

    chart.locator(".nsewdrag").hover(position={"x": 20, "y": 30})
    expect(page.locator("#layer-charts .tv-cross:visible")).to_have_count(charts.count())
    expect(page.locator("#layer-distributions .tv-cross:visible")).to_have_count(3)
    expect(said).not_to_have_text(str(newest))
    page.screenshot(path=artefacts / "layer.png")
    page.mouse.move(5, 5)
    expect(page.locator(".tv-cross:visible")).to_have_count(0)
    expect(said).to_have_text(str(newest))


def test_numbers_heatmap_and_curves_go_on_while_one_looks(page: Page, address: str) -> None:
    run = Training(address, "growing")
    run.train(60)
    page.goto(f"{address}/runs/growing/layers")
    expect(page.locator("#layers-step")).to_have_text("step 59")
    expect(page.locator("#live-word")).to_have_text("Live")
    page.wait_for_selector(f"{HEAT} .heatmaplayer image")
    run.train(30)
    expect(page.locator("#layers-step")).to_have_text("step 89")
    page.wait_for_function(f"() => document.querySelector('{HEAT}').data[0].z.length >= 90")

    page.locator(f"[data-snap='{LAYERS[3]}'] a").click()
    page.wait_for_selector("[aria-label='Gradient norm over steps'] .js-line", state="attached")
    run.train(30)
    ends = (
        "() => [...document.querySelectorAll('#layer-charts .js-plotly-plot')].map(plot => plot._fullData[2].x.at(-1))"
    )
    page.wait_for_function(f"() => ({ends})().length === 4 && ({ends})().every(step => step === 119)")
    run.end()
    expect(page.locator("#run-top")).to_contain_text("Finished")


def test_a_page_that_was_opened_before_the_model_was_declared_fills_by_itself(page: Page, address: str) -> None:
    odd = f"{address}/api/v1/runs/{quote('50% done')}"
    start = RunStart(project="layers", name="early", started_at=time.time())
    httpx2.put(odd, content=coding.encode(start), headers=HEADERS).raise_for_status()
    page.goto(f"{address}/runs/{quote('50% done')}/layers?text=mlp&order=trouble&stat=grad_norm")
    expect(page.locator("#layers-none")).to_contain_text("run.watch(model, optimizer)")
    expect(page.locator("#live-word")).to_have_text("Live")
    model = ModelInfo(layers=[LayerInfo(name=name, kind="Linear", parameters=100, trainable=100) for name in LAYERS])
    httpx2.put(f"{odd}/model", content=coding.encode(model), headers=HEADERS).raise_for_status()
    snap(odd, seq=0, zero_fraction=0.5)
    expect(page.locator("#layers-count")).to_have_text("4 of 8")
    expect(page.locator("#layers-stat")).to_have_value("Zero fraction")
    page.wait_for_selector(f"{HEAT} .heatmaplayer image")
    snap(odd, seq=1, zero_fraction=float("nan"), activation_nonfinite=3.0)  # which is not part of the feed
    expect(page.locator(f"[data-snap='{LAYERS[1]}'] [data-stat=zero_fraction]")).to_have_text("NaN")


def snap(address: str, *, seq: int, **stats: float) -> None:
    """Send a snapshot in which all layers have the same numbers."""
    sections = [section(stat, np.full((len(LAYERS), 1), value, "<f4").tobytes()) for stat, value in stats.items()]
    layer_stats = LayerStats(steps=[seq], layers=LAYERS, sections=sections)
    frame = Frame(run_id=unquote(address.rpartition("/")[2]), writer=1, seq=seq, layer_stats=layer_stats)
    httpx2.post(f"{address}/frames", content=encode_frame(frame), headers=HEADERS).raise_for_status()


def test_a_link_in_the_line_of_a_fold_leads_on_and_folds_nothing(page: Page, address: str) -> None:
    run = Training(address, "nested")
    model = ModelInfo(layers=[LayerInfo(name=name, kind="Linear", parameters=100) for name in ("attn", "attn.out")])
    httpx2.put(f"{run.base}/model", content=coding.encode(model), headers=HEADERS).raise_for_status()
    page.goto(f"{address}/runs/nested/layers")
    page.get_by_title("attn: the layer itself").click()
    expect(page.locator(".tv-layername")).to_have_text("attn")
    page.go_back()
    expect(page.locator("details[data-fold='layers attn']")).to_have_attribute("open", "")
    expect(page.get_by_title("attn.out").first).to_be_visible()


def test_a_phone_shows_both_pages(page: Page, trained: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{trained}/layers")
    page.wait_for_selector(f"{HEAT} .heatmaplayer image")
    page.wait_for_function(FITS)
    page.locator(".tv-tree a", has_text="embed").click()
    page.wait_for_selector("[aria-label='Gradient norm over steps'] .js-line", state="attached")
    page.wait_for_function(FITS)


def test_a_layer_without_a_name_and_without_stats_has_a_page(page: Page, address: str) -> None:
    run = Training(address, "bare")
    model = ModelInfo(layers=[LayerInfo(name="", kind="Linear", parameters=100, trainable=100)])
    httpx2.put(f"{run.base}/model", content=coding.encode(model), headers=HEADERS).raise_for_status()
    page.goto(f"{address}/runs/bare/layers")
    page.locator(".tv-tree a").click()
    expect(page.locator(".tv-layername")).to_have_text("(the model itself)")
    expect(page.locator("#layer-charts")).to_contain_text("Nothing was recorded for this layer")
