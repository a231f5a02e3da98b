"""Pictures of what is inside: tiles with their scale, a strip of units, and what is laid over an example."""

from __future__ import annotations

from typing import Final

import numpy as np
from dash import html

from trainvitals.wire.looks import Picture
from trainvitals_dashboard import words
from trainvitals_dashboard.figures import pixels
from trainvitals_dashboard.parts.cards import Piece

BINS: Final = 10
CELL_PX: Final = 24
WORDS: Final = {"activation": "channel", "filter": "filter", "attention": "head"}
FEW: Final = 0.005  # an activity that is written as 0 %


def block(
    title: str, said: Piece, body: Piece, *, scaled: Picture | None = None, look: pixels.Look = "values"
) -> html.Section:
    """A titled group of pictures, with the scale of one of them."""
    scale = scale_bar(scaled, look=look) if scaled is not None else None
    head = html.Div(
        [html.H3(title, className="tv-h3"), html.Span(said, className="tv-sub"), scale], className="tv-in-h"
    )
    return html.Section([head, body], className="tv-in-block", **{"aria-label": title})


def scale_bar(picture: Picture, *, look: pixels.Look = "values") -> html.Div:
    """From its lowest value to its highest, and the mark of what is not finite, where there is any."""
    parts: list[Piece] = [
        html.Span(words.number(picture.low)),
        html.Img(src=pixels.bar(picture, look=look), alt="", className="tv-in-bar"),
        html.Span(words.number(picture.high)),
    ]
    if picture.channels == 3:
        parts = [html.Span(f"{words.number(picture.low)} to {words.number(picture.high)}, in colours")]
    if pixels.has_not_finite(picture):
        parts.append(html.Span([html.I(className="tv-in-nan"), "not finite"], className="tv-in-mark"))
    return html.Div(parts, className="tv-in-scale")


def cells(picture: Picture) -> html.Div:
    """One tile that is a table of values, whose places are no larger than one can take in."""
    (source,) = pixels.tiles(picture)
    width = {"maxWidth": picture.width * CELL_PX}
    return html.Img(
        src=source, alt=f"{picture.height} × {picture.width} values", className="tv-in-img tv-in-cells", style=width
    )


def tiles(picture: Picture, *, name: str = "") -> html.Div:
    """All of a picture's, each with which one it is."""
    word = WORDS.get(picture.kind, "tile")
    which = list(picture.of) if len(picture.of) == picture.tiles else list(range(picture.tiles))
    made = [
        html.Figure(
            [
                html.Img(src=source, alt=f"{word} {number}", className="tv-in-img"),
                html.Figcaption(str(number)) if picture.tiles > 1 else None,
            ],
            title=f"{word} {number}" if picture.tiles > 1 else "",
        )
        for source, number in zip(pixels.tiles(picture), which, strict=True)
    ]
    return html.Div(made, className=f"tv-in-tiles {name}")


def strip(picture: Picture) -> html.Div:
    """The activity of units: one mark each, and how many are how active."""
    shares = pixels.values(picture)[0, 0, :, 0]
    told = shares[np.isfinite(shares)]
    counts, _ = np.histogram(told, bins=BINS, range=(0.0, 1.0))
    most = max(1, int(counts.max(initial=0)))
    bars = [
        html.I(style={"height": f"{count / most:.0%}"}, title=f"{place * 10} to {place * 10 + 10} %: {_units(count)}")
        for place, count in enumerate(counts.tolist())
    ]
    (source,) = pixels.tiles(picture)
    parts = [
        html.Img(src=source, alt="Activity of each unit, from the first to the last", className="tv-in-strip"),
        html.Div(bars, className="tv-in-bars", role="img", **{"aria-label": "How many units are how active"}),
        html.Div([html.Span("never"), html.Span("always")], className="tv-in-ends tv-sub"),
    ]
    return html.Div(parts, className="tv-in-activity")


def activity_told(picture: Picture) -> str:
    """In words: "3 of 64 units never, 5 always above zero"."""
    shares = pixels.values(picture)[0, 0, :, 0]
    whole = picture.shape[1] if len(picture.shape) > 3 else 0
    few = f" ({len(shares)} of {whole} shown)" if whole > len(shares) else ""
    lost = int(np.isnan(shares).sum())
    broken = f", {lost} not finite" if lost else ""
    never, always = int((shares <= FEW).sum()), int((shares >= 1 - FEW).sum())
    return f"of {_units(len(shares))}{few} {never} never, {always} always above zero{broken}"


def laid_over(below: Picture | None, over: Picture | None, *, alt: str) -> html.Div:
    """A picture with another, of values from 0 up, over it; either may be missing."""
    layers = []
    if below is not None:
        (source, *_) = pixels.tiles(below, look="light")
        layers.append(html.Img(src=source, alt=alt if over is None else "", className="tv-in-img"))
    if over is not None:
        (source, *_) = pixels.tiles(over, look="over" if below is not None else "values")
        layers.append(
            html.Img(src=source, alt=alt, className="tv-in-img tv-in-over" if below is not None else "tv-in-img")
        )
    return html.Div(layers, className="tv-in-stack")


def _units(count: int) -> str:
    return "1 unit" if count == 1 else f"{count:,} units"
