"""What opens the menus of saving and sharing: of a chart, in its corner, and of the page, in the header. Both menus are
51-chart-menu.js's."""

from __future__ import annotations

from dash import html

from trainvitals_dashboard.parts.icons import icon


def chart_menu(label: str) -> html.Button:
    """Of the chart that ``label`` names: image, points, link, embed code."""
    return _opener("dots", 16, menu="chart", name=f"Save or share: {label}", title="Save or share")


def page_menu() -> html.Button:
    """Of the whole page: link, print."""
    return _opener("share", 18, menu="page", name="Share or print this page", title="Share or print")


def _opener(picture: str, size: int, *, menu: str, name: str, title: str) -> html.Button:
    told = {"data-menu": menu, "aria-label": name, "aria-haspopup": "menu", "aria-expanded": "false"}
    looks = f"tv-more-of tv-more-of-{menu}"
    return html.Button(icon(picture, size), className=looks, title=title, type="button", **told)
