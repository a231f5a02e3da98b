"""Text is legible in both schemes, and every status has an icon."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

import trainvitals_dashboard
from trainvitals_dashboard.static import VENDOR, replacements
from trainvitals_dashboard.theme import STATUS, TEXT_TOKENS, TOKENS, css

ICONS = Path(str(trainvitals_dashboard.__file__)).parent / "assets" / "icons"


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def tinted(surface: str, colour: str, share: float = 0.12) -> str:
    """As color-mix in .tv-pill."""
    channels = [[int(one[at : at + 2], 16) for at in (1, 3, 5)] for one in (surface, colour)]
    mixed = (round(below * (1 - share) + above * share) for below, above in zip(*channels, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("surface", ["bg", "surface", "surface-2"])
@pytest.mark.parametrize("token", TEXT_TOKENS)
def test_text_stands_out_from_what_is_behind_it(token: str, surface: str, scheme: int) -> None:
    assert contrast(TOKENS[token][scheme], TOKENS[surface][scheme]) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("surface", ["bg", "surface", "surface-2"])
@pytest.mark.parametrize("token", sorted({token for token, _, _ in STATUS.values()} | {"accent"}))
def test_a_pill_can_be_read_on_its_own_tint(token: str, surface: str, scheme: int) -> None:
    colour = TOKENS[token][scheme]
    assert contrast(colour, tinted(TOKENS[surface][scheme], colour)) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("token", ["s1", "s2", "s3", "s4", "s5"])
def test_lines_stand_out_from_the_card(token: str, scheme: int) -> None:
    assert contrast(TOKENS[token][scheme], TOKENS["surface"][scheme]) >= 3


def test_every_status_has_a_colour_and_an_icon() -> None:
    assert all(token in TOKENS and (ICONS / f"{icon}.svg").is_file() for token, icon, _ in STATUS.values())


def test_every_colour_is_a_variable_in_both_schemes() -> None:
    assert all(css().count(f"--tv-{name}:") == 2 for name in TOKENS)


def test_the_small_plotly_build_is_the_version_that_plotly_asks_for() -> None:
    assert replacements()["plotly", "package_data/plotly.min.js"] == VENDOR / "plotly-cartesian.min.js"


def test_what_is_served_otherwise_is_still_what_dash_asks_for() -> None:
    for package, path in replacements():
        assert (Path(import_module(package).__file__ or "").parent / path).is_file()
