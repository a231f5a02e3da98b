"""Every page, from the clinic's recorded runs: anybody can read it, it looks as it did, and a phone shows it whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.accessibility import GRAVE, REPORT, rows
from tests.browser.every_page import PAGES, SCHEMES, Places, Scheme, Shown, places, show
from tests.browser.looks import changes, reference
from tests.browser.seeing import Seen, phone, see, too_small, too_wide

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
every_page = pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)
every_scheme = pytest.mark.parametrize("scheme", SCHEMES)
LEAST_TARGET_PX: Final = 24  # WCAG 2.2, 2.5.8
RUNS_PAGE: Final = PAGES[0]

Seeing = Callable[[Shown], Seen]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """A server with the recorded runs, and one behind a token."""
    with places(tmp_path_factory.mktemp("every-page")) as found:
        yield found


@pytest.fixture(scope="module")
def seeing(browser: Browser, served: Places) -> Seeing:
    """Each page is opened once for all that is asked of it."""
    return cache(lambda shown: see(browser, shown, served))


@pytest.fixture
def held_upright(browser: Browser) -> Iterator[Page]:
    """A tab of a phone."""
    context = phone(browser)
    yield context.new_page()
    context.close()


@every_page
def test_a_page_has_no_error_in_its_console(shown: Shown, seeing: Seeing) -> None:
    assert seeing(shown).errors == []


@every_page
@every_scheme
def test_a_page_can_be_read_by_everybody(shown: Shown, scheme: Scheme, seeing: Seeing) -> None:
    grave = [str(one) for one in seeing(shown).violations[scheme] if one.impact in GRAVE]

    assert grave == []


@every_page
def test_the_report_on_accessibility_tells_what_is_found(shown: Shown, seeing: Seeing) -> None:
    told = REPORT.read_text().splitlines()

    assert [line for line in rows(shown, seeing(shown).violations) if line not in told] == [], "run `make pages`"


@every_page
@every_scheme
def test_a_page_looks_as_it_did(shown: Shown, scheme: Scheme, seeing: Seeing) -> None:
    then = reference(f"{shown.name}-{scheme}")

    assert changes(seeing(shown).looks[scheme], then) == [], "if it is meant to, run `make looks`"


@every_page
def test_a_phone_shows_a_page_whole_and_a_finger_hits_what_it_means(
    shown: Shown, served: Places, held_upright: Page
) -> None:
    show(held_upright, shown, served)

    assert too_wide(held_upright) == []
    assert too_small(held_upright, least=LEAST_TARGET_PX) == []


def test_a_phone_s_navigation_leads_from_page_to_page(served: Places, held_upright: Page) -> None:
    show(held_upright, RUNS_PAGE, served)
    for word, heading in (("Rules", "Rules"), ("Compare", "Compare"), ("Runs", "Runs")):
        held_upright.get_by_label("Navigation").tap()
        link = held_upright.get_by_role("navigation", name="Pages", exact=True).get_by_role("link", name=word)
        expect(link).to_be_in_viewport()
        link.tap()
        expect(held_upright.get_by_role("heading", name=heading, level=1)).to_be_visible()
        expect(link).not_to_be_in_viewport()


def test_a_phone_s_tabs_lead_through_the_pages_of_a_run(served: Places, held_upright: Page) -> None:
    held_upright.goto(f"{served.recorded}/runs/sick")
    held_upright.get_by_role("link", name="System", exact=True).tap()

    expect(held_upright.get_by_role("link", name="System", exact=True)).to_have_attribute("aria-current", "page")
    expect(held_upright.get_by_role("link", name="System", exact=True)).to_be_in_viewport()


def test_every_page_has_a_name_and_an_address_of_its_own() -> None:
    assert len({shown.name for shown in PAGES}) == len(PAGES)
    assert len({(shown.door, shown.path, shown.opened) for shown in PAGES}) == len(PAGES)
    assert [shown.name for shown in PAGES if Path(shown.name).name != shown.name] == []
