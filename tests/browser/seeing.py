"""A look at one page: opened once, seen dark and light, with all that is asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.accessibility import Violation, violations
from tests.browser.every_page import LAPTOP, PHONE, SCHEMES, Places, Scheme, Shown, show, switch
from tests.browser.looks import Look, look_at, unroll

CALM: Final = "reduce"
# what a finger has to hit and is smaller than that; links within a sentence are as high as its lines, and the cells of
# the strip of all layers are second ways to what the tree and the table below lead to (WCAG 2.2, 2.5.8: equivalent)
SMALL: Final = """least => {
  const TARGETS = 'a, button, summary, input, select, [role=button], [role=tab], [tabindex="0"]';
  const AROUND = 'label, .ag-checkbox, .mantine-Input-wrapper', SENTENCES = 'p, li, dd, .tv-prose, .tv-sub, .tv-says';
  const isSeen = one => one.checkVisibility({opacityProperty: true, visibilityProperty: true});
  const isInline = one => getComputedStyle(one).display === 'inline' && one.closest(SENTENCES);
  const boxOf = one => (one.matches('input') && one.closest(AROUND) || one).getBoundingClientRect();
  return [...document.querySelectorAll(TARGETS)]
    .filter(one => isSeen(one) && !one.closest('[aria-hidden=true]') && !one.matches('.tv-lcell') && !isInline(one))
    .map(one => [one, boxOf(one)])
    .filter(([, box]) => box.width && box.height && (box.width < least || box.height < least))
    .map(([one, box]) => {
      const said = (one.textContent || one.ariaLabel || '').trim().slice(0, 30);
      return `${one.tagName.toLowerCase()}.${one.className} "${said}": ${box.width} × ${box.height}`;
    });
}"""
# what makes a page wider than the window, unless it scrolls in a place of its own
WIDE: Final = """width => {
  if (document.documentElement.scrollWidth <= width) return [];
  const far = [...document.querySelectorAll('body *')].map(one => [one, one.getBoundingClientRect().right]);
  return far.filter(([, right]) => right > width + 1).slice(0, 8)
    .map(([one, right]) => `${one.tagName.toLowerCase()}.${one.className}: to ${Math.round(right)}`);
}"""


@dataclass(slots=True, kw_only=True)
class Seen:
    """What axe finds and how it looks in each scheme; ``errors``: of the console."""

    violations: dict[Scheme, list[Violation]] = field(default_factory=dict)
    looks: dict[Scheme, Look] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


def see(browser: Browser, shown: Shown, places: Places) -> Seen:
    """The page in a laptop's window, made as high as the page."""
    seen = Seen()
    context = browser.new_context(viewport=LAPTOP, color_scheme=SCHEMES[0], reduced_motion=CALM)
    page = context.new_page()
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("console", lambda message: seen.errors.append(message.text) if message.type == "error" else None)
    show(page, shown, places)
    unroll(page)
    for scheme in SCHEMES:
        if scheme != SCHEMES[0]:
            switch(page, scheme)
        seen.looks[scheme] = look_at(page)
        seen.violations[scheme] = violations(page)
    context.close()
    return seen


def phone(browser: Browser, scheme: Scheme = SCHEMES[0]) -> BrowserContext:
    """A phone, held upright."""
    return browser.new_context(
        viewport=PHONE, color_scheme=scheme, reduced_motion=CALM, is_mobile=True, has_touch=True, device_scale_factor=2
    )


def too_wide(page: Page) -> list[str]:
    """What makes the page scroll sideways."""
    found: list[str] = page.evaluate(WIDE, PHONE["width"])
    return found


def too_small(page: Page, *, least: int) -> list[str]:
    """What a finger would miss; ``least``: pixels each way."""
    found: list[str] = page.evaluate(SMALL, least)
    return found
