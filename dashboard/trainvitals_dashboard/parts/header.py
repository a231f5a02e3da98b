"""What surrounds every page: header, rail, banner and drawer."""

from __future__ import annotations

from typing import Final

import dash
import dash_mantine_components as dmc
from dash import dcc, html

from trainvitals_dashboard.parts.chart_menu import page_menu
from trainvitals_dashboard.parts.icons import icon
from trainvitals_dashboard.theme import MANTINE

PLACES: Final = (("table", "Runs", "/"), ("git-compare", "Compare", "/compare"), ("bulb", "Rules", "/rules"))


def shell() -> dmc.MantineProvider:
    """The frame that pages are drawn in."""
    frame = dmc.AppShell(
        [
            dmc.AppShellHeader(_header(), withBorder=False),
            dmc.AppShellNavbar(_rail(), withBorder=False),
            dmc.AppShellMain([html.Div(id="banner", className="tv-banner", role="alert"), dash.page_container]),
        ],
        header={"height": 52},
        navbar={"width": 76, "breakpoint": "sm", "collapsed": {"mobile": True}},
        padding=0,
        id="shell",
    )
    drawer = dmc.Drawer(
        id="drawer",
        position="right",
        size="min(480px, 100vw)",
        opened=False,
        overlayProps={"backgroundOpacity": 0.35},
        closeButtonProps={"aria-label": "Close"},
    )
    return dmc.MantineProvider([dcc.Location(id="url"), frame, drawer], theme=MANTINE, defaultColorScheme="auto")


def _header() -> html.Div:
    brand = dcc.Link(
        [html.Span(className="tv-logo"), html.Span("trainvitals", className="tv-word")],
        href="/",
        className="tv-brand",
        title="All runs",
    )
    burger = dmc.Burger(id="burger", size="sm", hiddenFrom="sm", opened=False, **{"aria-label": "Navigation"})
    live = html.Span(
        [html.I(className="tv-dot"), html.Span("Connecting", id="live-word")], className="tv-live", role="status"
    )
    toggle = dmc.ColorSchemeToggle(
        lightIcon=icon("sun", 19),
        darkIcon=icon("moon", 19),
        variant="subtle",
        color="gray",
        size="lg",
        id="scheme",
        **{"aria-label": "Switch between dark and light"},
    )
    return html.Div(
        [html.Div([burger, brand], className="tv-hl"), html.Div([live, page_menu(), toggle], className="tv-hr")],
        className="tv-header",
    )


def _rail() -> html.Nav:
    links = [
        dcc.Link([icon(picture, 20), html.Span(word, className="tv-rail-t")], href=path, className="tv-rail-a")
        for picture, word, path in PLACES
    ]
    keys = html.Button(  # 61-keys.js
        [html.Kbd("?"), html.Span("Keys", className="tv-rail-t")], id="keys-told", className="tv-rail-k", type="button"
    )
    return html.Nav([html.Div(links), keys], className="tv-rail", **{"aria-label": "Pages"})
