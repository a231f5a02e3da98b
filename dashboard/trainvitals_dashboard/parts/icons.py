"""Icons: SVG files from the assets, drawn as a mask so that they take the colour of the text."""

from __future__ import annotations

from dash import html


def icon(name: str, size: int = 18) -> html.Span:
    """The icon; decoration, hence hidden from screen readers."""
    style = {"--i": f"url(/assets/icons/{name}.svg)", "width": size, "height": size}
    return html.Span(className="tv-icon", style=style, **{"aria-hidden": "true"})
