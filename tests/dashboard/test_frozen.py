"""Pieces that only show are drawn as HTML on the server."""

from __future__ import annotations

import dash_mantine_components as dmc
import pytest
from dash import dcc, html

from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.frozen import drawn


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        (None, ""),
        (["a", 1, [html.B("b"), None]], "a1<b>b</b>"),
        (html.Span("<script>&", title='"x"'), '<span title="&quot;x&quot;">&lt;script&gt;&amp;</span>'),
        (html.Div(className="tv-a tv-b", **{"data-layer": "a<b"}), '<div class="tv-a tv-b" data-layer="a&lt;b"></div>'),
        (
            html.I(style={"width": 12, "lineHeight": 2, "--i": "url(/a.svg)", "gridTemplateColumns": "1fr"}),
            '<i style="width:12px;line-height:2;--i:url(/a.svg);grid-template-columns:1fr"></i>',
        ),
        (html.Details(html.Summary("more"), open=True), '<details open=""><summary>more</summary></details>'),
        (html.Details(html.Summary("more"), open=False), "<details><summary>more</summary></details>"),
        (html.Span(**{"aria-hidden": "true"}), '<span aria-hidden="true"></span>'),
        (["a", html.Br(), "b"], "a<br>b"),
        (html.Label("name", htmlFor="field"), '<label for="field">name</label>'),
        (html.A("x", href=" JavaScript:alert(1)"), "<a>x</a>"),
        (dcc.Link("Rules", href="/rules?a=1&b=2"), '<a data-go="" href="/rules?a=1&amp;b=2">Rules</a>'),
    ],
)
def test_pieces_are_drawn_as_react_would(piece: Piece, expected: str) -> None:
    assert drawn(piece) == expected


@pytest.mark.parametrize(
    "piece",
    [
        html.Div("filled by a callback", id="later"),
        html.Button("heard", n_clicks=0),
        dcc.Graph(),
        dmc.Progress(value=1),
    ],
)
def test_what_does_more_than_show_is_refused(piece: Piece) -> None:
    with pytest.raises(TypeError, match="outside of frozen"):
        drawn(html.Div([piece]))
