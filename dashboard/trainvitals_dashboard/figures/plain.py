"""Names that people gave, as plotly shows them letter by letter."""

from __future__ import annotations

from typing import Final

_WRITTEN: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "{": "&#123;"})


def plain(name: str) -> str:
    """For hover templates, titles and annotations: what looks like a tag is none, nor is "%{y}" a value."""
    return name.translate(_WRITTEN)
