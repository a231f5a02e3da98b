"""Takes pictures of every page from the clinic's recorded runs, in a laptop's window dark and light and on a phone, and
writes docs/pages.md, which shows them, and docs/accessibility.md. With ``--looks`` it keeps how the pages look, which
the browser tests hold them against.

Run as ``make pages`` and ``make looks``.
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.accessibility import REPORT, Violation, report, violations
from tests.browser.conftest import BROWSERS, FLAGS
from tests.browser.every_page import LAPTOP, PAGES, SCHEMES, Places, Scheme, Shown, places, show, switch
from tests.browser.looks import keep
from tests.browser.seeing import CALM, phone, see

DOCS: Final = Path(__file__).parents[1] / "docs"
PICTURES: Final = DOCS / "pages"
QUALITY: Final = 84  # of WebP: letters stay sharp
PHONE_WIDTH: Final = 230  # in the document

HEAD: Final = """# Every page

Drawn from recorded trainings of the [clinic](clinic.md) by `make pages`, which writes this document, too: at
1440 × 900, dark and light, and on a phone. Whether everybody can read them is in [accessibility](accessibility.md).
"""


def main() -> None:
    """Serve, look, store."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--looks", action="store_true", help="keep the references of the browser tests alone")
    options.add_argument("pages", nargs="*", help="names of pages; all if none is named")
    chosen = options.parse_args()
    shown = [one for one in PAGES if one.name in chosen.pages or not chosen.pages]
    with tempfile.TemporaryDirectory() as folder, places(Path(folder)) as served, sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        path = own if Path(own).exists() else next(filter(None, map(shutil.which, BROWSERS)))
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        if chosen.looks:
            seen = {one.name: see(browser, one, served).looks for one in shown}
            keep(
                {f"{name}-{scheme}": look for name, looks in seen.items() for scheme, look in looks.items()},
                others=bool(chosen.pages),
            )
        else:
            told = {one: take(browser, one, served) for one in shown}
            if not chosen.pages:
                REPORT.write_text(report(told))
                (DOCS / "pages.md").write_text(document())
        browser.close()


def take(browser: Browser, shown: Shown, served: Places) -> dict[Scheme, list[Violation]]:
    """The three pictures of a page; what axe finds in each scheme."""
    context = browser.new_context(viewport=LAPTOP, color_scheme=SCHEMES[0], reduced_motion=CALM)
    page = context.new_page()
    show(page, shown, served)
    found = {}
    for scheme in SCHEMES:
        switch(page, scheme)
        store(page, f"{shown.name}-{scheme}")
        found[scheme] = violations(page)
    context.close()
    context = phone(browser)
    page = context.new_page()
    show(page, shown, served)
    store(page, f"{shown.name}-phone")
    context.close()
    return found


def store(page: Page, name: str) -> None:
    """What is in the window, as WebP."""
    PICTURES.mkdir(exist_ok=True)
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    path = PICTURES / f"{name}.webp"
    picture.save(path, quality=QUALITY, method=6)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def document() -> str:
    """docs/pages.md."""
    return "\n".join([HEAD, *map(section, PAGES)])


def section(shown: Shown) -> str:
    """What a page is for, and its pictures."""
    wide = " ".join(f"![{shown.title}, {scheme}](pages/{shown.name}-{scheme}.webp)" for scheme in SCHEMES)
    narrow = f'<img src="pages/{shown.name}-phone.webp" width="{PHONE_WIDTH}" alt="{shown.title}, on a phone">'
    return f"## {shown.title}\n\n{shown.told}\n\n{wide}\n\n{narrow}\n"


if __name__ == "__main__":
    main()
