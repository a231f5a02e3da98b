"""Metrics beside the loss in small charts: what people log, and what the SDK knows of the training's loop."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from dash import dcc, html

from trainvitals.wire.answers import RunDetail
from trainvitals_dashboard import words
from trainvitals_dashboard.figures.lines import NamedCurve, overlay, single
from trainvitals_dashboard.gathering import RunView
from trainvitals_dashboard.parts.addresses import run_path
from trainvitals_dashboard.parts.cards import Piece, card, graph, legend
from trainvitals_dashboard.theme import SERIES

HEIGHT_PX: Final = 120
PARTS_HEIGHT_PX: Final = 170


def small_charts(view: RunView) -> list[Piece]:
    """The cards of small charts."""
    return [part for part in (parts_card(view), metrics_card(view), loop_card(view)) if part is not None]


def parts_card(view: RunView) -> Piece:
    """What the loss is made of, data and regularisation apart; nothing where neither parts are logged nor weights
    decayed."""
    if not view.parts:
        return None
    named = [NamedCurve(name=_part(name, view), curve=view.curve(name)) for name in view.parts]
    plot = graph("g-parts", overlay(named, log=True, live=True), height=PARTS_HEIGHT_PX, label="Parts of the loss")
    key = legend([(one.name, colour, "ln") for one, colour in zip(named, SERIES, strict=False)])
    return card("Parts of the loss", plot, right=key, name="tv-partscard")


def _part(name: str, view: RunView) -> str:
    """Without the loss's own name, which the card has."""
    return words.metric(name.removeprefix(f"{view.loss}/"))


def metrics_card(view: RunView) -> Piece:
    """Nothing where nothing else was logged."""
    if not view.others:
        return None
    logged, shown = len(view.others) + len(view.more), len(view.others)
    sub = f"{shown} of {logged} logged" if view.more else f"{logged} logged"
    return card("Metrics", _charts(view, view.others), sub=sub, right=_way_to_all(view.detail), name="tv-metricscard")


def _way_to_all(detail: RunDetail) -> dcc.Link:
    return dcc.Link(
        f"All {len(detail.metrics):,} metrics", href=f"{run_path(detail.summary.run_id)}/metrics", className="tv-all"
    )


def loop_card(view: RunView) -> Piece:
    """Where the time goes, and what is clipped and skipped; nothing where nothing is watched."""
    return card("Training loop and machine", _charts(view, view.loop), name="tv-loopcard") if view.loop else None


def _charts(view: RunView, names: list[str]) -> html.Div:
    titled = [
        html.Div([html.H3(words.metric(name), className="tv-h3 tv-metric-t", title=name), _plot(view, name)])
        for name in names
    ]
    return html.Div(titled, className="tv-metrics")


def _plot(view: RunView, name: str) -> html.Div:
    figure = single(view.curve(name), colour="s1", log=False, name=words.metric(name))
    return graph(_id(name), figure, height=HEIGHT_PX, label=f"{words.metric(name)} over steps")


def _id(name: str) -> str:
    """One of its own for every name ("a.b" and "a-b" are two metrics), without the dots that Dash refuses."""
    return f"g-metric-{quote(name, safe='').replace('.', '%2E')}"
