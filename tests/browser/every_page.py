"""Every page that there is, and how to know that it is drawn. A new page is one more of ``PAGES``: its accessibility,
its looks and what a phone makes of it are tested then, and it has its place in docs/pages.md."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page

from tests.browser.recorded import send_all
from tests.faults.conftest import Server
from tests.postgres import free_port

Scheme = Literal["dark", "light"]
SCHEMES: Final[tuple[Scheme, ...]] = ("dark", "light")
LAPTOP: Final = {"width": 1440, "height": 900}
PHONE: Final = {"width": 390, "height": 844}
TOKEN: Final = "a long secret"
COOKIE: Final = "trainvitals_token"
TABLE: Final = ".ag-center-cols-container .ag-row"
LINE: Final = ".js-plotly-plot .scatterlayer .js-line"
CELLS: Final = ".js-plotly-plot .heatmaplayer image"
# how many questions to the server are open
ASKING: Final = """(() => {
  const ask = window.fetch;
  window.asking = 0;
  window.fetch = (...what) => { window.asking++; return ask(...what).finally(() => { window.asking--; }); };
})()"""
# nothing changes any more: no part of the page, no question that waits for its answer, no plot that is not
# drawn; and the server is heard, which on a busy machine may take another try
STILL: Final = """quiet => new Promise(resolve => {
  const settled = () => !window.asking && !document.querySelector('.tv-banner:not(:empty)')
    && document.fonts.status === 'loaded'
    && [...document.querySelectorAll('.js-plotly-plot')].every(plot => plot._fullLayout || !plot.offsetParent);
  let timer = 0;
  const look = () => settled() ? (watch.disconnect(), resolve()) : again();
  const again = () => { clearTimeout(timer); timer = setTimeout(look, quiet); };
  const watch = new MutationObserver(again);
  watch.observe(document.documentElement, {childList: true, subtree: true, attributes: true, characterData: true});
  again();
})"""
QUIET_MS: Final = 400
PATIENCE_MS: Final = 90_000  # with a machine that does much else


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A page: its address, what is there once it is drawn, and a sentence on what it is for. ``door``: on the server
    that asks for a token and has no runs, outside ("shut") or with the token ("open"). ``opened``: what is clicked on;
    ``drawn`` is there after it."""

    name: str
    title: str
    path: str
    drawn: str
    told: str
    door: Literal["", "shut", "open"] = ""
    opened: str = ""


PAGES: Final = (
    Shown(
        name="runs",
        title="Runs",
        path="/",
        drawn=TABLE,
        told="All runs, live: how each is doing, what is open, how its loss goes.",
    ),
    Shown(
        name="run-sick",
        title="A run that is sick",
        path="/runs/sick",
        drawn=f"#checklist section, #g-loss {LINE}",
        told="One run at a glance: what is wrong comes first, with its cause, its numbers and what to do.",
    ),
    Shown(
        name="finding",
        title="A finding",
        path="/runs/sick",
        opened=".tv-tl-btn",
        drawn=f".mantine-Drawer-body {LINE}",
        told="A click on a finding opens its evidence: the series, the line it crossed, likely causes, what to try.",
    ),
    Shown(
        name="run-healthy",
        title="A run that is healthy",
        path="/runs/healthy",
        drawn=f"#checklist section, #g-loss {LINE}",
        told="The same page where nothing is wrong: what was looked for and not found is on the checklist.",
    ),
    Shown(
        name="findings",
        title="Findings",
        path="/runs/sick/findings",
        drawn=f"#findings-lanes, #lane-buttons button, #findings-main {LINE}",
        told="All findings as lanes on the axis of the loss, what became of each, and the chosen one whole.",
    ),
    Shown(
        name="layers",
        title="Layers",
        path="/runs/sick/layers",
        drawn=f"#g-layers-heat {CELLS}",
        told="The whole model: which layers are ill, how each stat went over time, the newest numbers of all.",
    ),
    Shown(
        name="layer",
        title="One layer",
        path="/runs/sick/layers/blocks.1.attention",
        drawn=f"#layer-charts {LINE}",
        told="All that is known of one layer: its stats over time and its distributions.",
    ),
    Shown(
        name="inside",
        title="Inside",
        path="/runs/seen/inside",
        drawn="#inside-step, #inside-body img",
        told="What the network makes of a few examples, layer by layer, with a slider over the training's time.",
    ),
    Shown(
        name="metrics",
        title="Metrics",
        path="/runs/sick/metrics",
        drawn=f".tv-mc {LINE}",
        told="Every metric that was logged, to search, smooth and take away.",
    ),
    Shown(
        name="settings",
        title="Settings",
        path="/runs/sick/settings",
        drawn=".tv-card table, .tv-card h2",
        told="What the run was made of: configuration, optimizers, code, environment, data, and what changed.",
    ),
    Shown(
        name="system",
        title="System",
        path="/runs/ranks/system",
        drawn="#g-step-time .js-line",
        told="Where a step's time goes, what watching costs, how the ranks and the machine do.",
    ),
    Shown(
        name="notes",
        title="Notes",
        path="/runs/sick/notes",
        drawn=".tv-card h2",
        told="What people write of a run, in Markdown, and what its script alerted to.",
    ),
    Shown(
        name="compare",
        title="Compare",
        path="/compare?runs=sick,healthy,slow&metric=loss",
        drawn=f"#g-compare {LINE}",
        told="Runs side by side: curves, settings that differ, where two of them part.",
    ),
    Shown(
        name="rules",
        title="Rules",
        path="/rules",
        drawn=".tv-rules",
        told="What is looked for in every run, stage by stage.",
    ),
    Shown(
        name="rule",
        title="A rule",
        path="/rules/attention_logits_growing",
        drawn=".tv-article h2",
        told="What one rule checks, why it matters, how to confirm it, what to try, and when it is wrong.",
    ),
    Shown(
        name="not-found",
        title="No such page",
        path="/nowhere",
        drawn=".tv-notice",
        told="An address that leads nowhere says so, and leads back.",
    ),
    Shown(
        name="empty",
        title="No runs yet",
        path="/",
        drawn="#first-run",
        told="A server without runs teaches how to send the first.",
        door="open",
    ),
    Shown(
        name="sign-in",
        title="Sign in",
        path="/",
        drawn="input[type=password]",
        told="A server that is given a token asks for it once.",
        door="shut",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The addresses of a server with the recorded runs, and of one with a token and none."""

    recorded: str
    guarded: str

    def address_of(self, shown: Shown) -> str:
        """Where the page is."""
        return (self.guarded if shown.door else self.recorded) + shown.path


@contextmanager
def places(folder: Path) -> Iterator[Places]:
    """Both servers, each a process of its own; they end with the block."""
    servers = [
        Server(data=folder / name, port=free_port(), settings=settings)
        for name, settings in {"recorded": {}, "guarded": {"TRAINVITALS_TOKEN": TOKEN}}.items()
    ]
    try:
        for server in servers:
            server.data.mkdir()
            server.start()
        send_all(servers[0].url)
        yield Places(recorded=servers[0].url, guarded=servers[1].url)
    finally:
        for server in servers:
            server.close()


def show(page: Page, shown: Shown, places: Places) -> None:
    """Open it, and wait until it is drawn and still."""
    if shown.door == "open":
        _sign_in(page.context, places.guarded)
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(ASKING)
    page.goto(places.address_of(shown))
    if shown.opened:
        page.locator(shown.opened).first.wait_for()
        page.evaluate(STILL, QUIET_MS)
        page.locator(shown.opened).first.click()
    for selector in shown.drawn.split(", "):
        page.locator(selector).first.wait_for(state="attached")
    page.evaluate(STILL, QUIET_MS)


def switch(page: Page, scheme: Scheme) -> None:
    """The page that is open, dark or light."""
    page.emulate_media(color_scheme=scheme)
    if page.locator("[data-mantine-color-scheme]").count():
        page.locator(f"html[data-mantine-color-scheme={scheme}]").wait_for(state="attached")
    page.evaluate(STILL, QUIET_MS)


def _sign_in(context: BrowserContext, address: str) -> None:
    host = urlsplit(address).hostname
    context.add_cookies([{"name": COOKIE, "value": TOKEN, "domain": str(host), "path": "/"}])
