"""What axe finds on a page, and docs/accessibility.md, which tells of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from tests.browser.every_page import SCHEMES, Scheme, Shown

REPORT: Final = Path(__file__).parents[2] / "docs" / "accessibility.md"
IMPACTS: Final = ("critical", "serious", "moderate", "minor")
GRAVE: Final = ("critical", "serious")
NONE: Final = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A rule of axe that a page breaks, and where: a selector and axe's own words for each place."""

    rule: str
    impact: str
    places: tuple[str, ...]

    def __str__(self) -> str:
        return "\n  ".join([f"{self.rule} ({self.impact})", *self.places])


def violations(page: Page) -> list[Violation]:
    """Of the page as it is now, the gravest first."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found: list[dict[str, Any]] = page.evaluate(
        "() => axe.run({resultTypes: ['violations']}).then(it => it.violations)"
    )
    told = [Violation(rule=one["id"], impact=one["impact"], places=tuple(map(_place, one["nodes"]))) for one in found]
    return sorted(told, key=lambda one: IMPACTS.index(one.impact))


def _place(node: dict[str, Any]) -> str:  # Any: axe's own
    why = "; ".join(check["message"] for check in [*node["any"], *node["all"], *node["none"]])
    return f"{' '.join(map(str, node['target']))}: {why}"


def rows(shown: Shown, found: Mapping[Scheme, Sequence[Violation]]) -> list[str]:
    """The lines of the report's table that tell of a page: how many places break a rule of each impact, and which."""
    lines = []
    for scheme in SCHEMES:
        counts = Counter(dict.fromkeys(IMPACTS, 0))
        for one in found[scheme]:
            counts[one.impact] += len(one.places)
        rules = ", ".join(sorted(f"`{one.rule}`" for one in found[scheme])) or NONE
        lines.append(f"| {shown.title} | {scheme} | {' | '.join(str(counts[one]) for one in IMPACTS)} | {rules} |")
    return lines


def report(found: Mapping[Shown, Mapping[Scheme, Sequence[Violation]]]) -> str:
    """docs/accessibility.md."""
    version = re.search(r"axe v([\d.]+)", AXE_SCRIPT)
    assert version is not None, "axe says which it is"
    return "\n".join(
        [
            "# Accessibility",
            "",
            f"What [axe-core](https://github.com/dequelabs/axe-core) {version[1]} finds on every page, dark and light, "
            "drawn from recorded trainings, 1440 pixels wide. `tests/browser/test_every_page.py` keeps it "
            "so: a critical or serious violation, contrast included, fails it, and so does a page of which this "
            "table does not tell the truth. `make pages` writes it anew.",
            "",
            f"| Page | Scheme | {' | '.join(impact.capitalize() for impact in IMPACTS)} | Rules |",
            f"|---|---|{'--:|' * len(IMPACTS)}---|",
            *(line for shown, of_schemes in found.items() for line in rows(shown, of_schemes)),
            "",
            *KNOWN,
            "",
        ]
    )


KNOWN: Final = (
    "What is left is in the components that the pages are made of: the table of runs has no heading above the boxes "
    "that choose a run, and the drawer has a `<header>` of its own.",
    "",
    "axe sees what a program can see. Beyond it tests hold that every status has an icon and a word and never colour "
    "alone, that text stands out from every surface and from the tint of its own pill (`tests/dashboard/"
    "test_palette.py`), that a phone scrolls no page sideways, and that what a finger has to hit has 24 pixels. No "
    "screen reader was used.",
)
