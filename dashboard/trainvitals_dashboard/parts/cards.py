"""Cards, pills, graphs and the other small pieces that every page uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from dash import dcc, html

from trainvitals_dashboard.parts.chart_menu import chart_menu
from trainvitals_dashboard.parts.icons import icon
from trainvitals_dashboard.theme import GRAPH_CONFIG, STATUS

Piece = Any  # a Dash component, a text, or a list of them


def card(
    title: str, body: Piece, *, sub: Piece = None, right: Piece = None, name: str = "", title_id: str = "", **more: Any
) -> html.Section:
    """A titled card; ``name`` becomes its class. A title with an id can be set anew."""
    named = {"id": title_id} if title_id else {}
    left = [html.H2(title, className="tv-h2", **named)] + (
        [html.Span(sub, className="tv-sub")] if sub is not None else []
    )
    head = [html.Div(left, className="tv-head-l")] + ([html.Div(right, className="tv-head-r")] if right else [])
    parts = [html.Div(head, className="tv-head"), html.Div(body, className="tv-body")]
    return html.Section(parts, className=f"tv-card {name}", **{"aria-label": title}, **more)


def pill(kind: str, text: str | None = None) -> html.Span:
    """A status as icon and word, never as colour alone."""
    token, picture, word = STATUS[kind]
    return html.Span([icon(picture, 13), html.Span(text or word)], className=f"tv-pill tv-{token}", title=word)


def graph(name: str | dict[str, str], figure: go.Figure, *, height: int, label: str) -> html.Div:
    """A plot; ``label`` tells screen readers what it shows. In its corner is the way to save and share it, which
    stands outside of the picture: what is inside of one is no control."""
    plot = dcc.Graph(id=name, figure=figure, config=GRAPH_CONFIG, style={"height": height}, className="tv-graph")
    key = name if isinstance(name, str) else "-".join(name.values())
    picture = html.Div(plot, role="img", **{"aria-label": label})
    return html.Div([picture, chart_menu(label)], className="tv-chart", **{"data-chart": key})


def legend(items: Sequence[tuple[str, str, str]]) -> html.Div:
    """(word, token, look) each; looks: ln, fa, do, dm."""
    keys = [
        html.Span([html.I(className=f"tv-key tv-key-{look}", style={"--c": f"var(--tv-{token})"}), word])
        for word, token, look in items
    ]
    return html.Div(keys, className="tv-legend")


def notice(title: str, text: Piece, *, kind: str = "info", alone: bool = False) -> html.Div:
    """Something said plainly in place of content; ``alone``: of the whole page, whose heading it has."""
    token, picture, _ = STATUS[kind]
    heading = html.H1 if alone else html.H2
    return html.Div(
        [html.Span(icon(picture, 22), className=f"tv-{token}"), heading(title, className="tv-h1"), html.P(text)],
        className="tv-notice",
        role="status",
    )
