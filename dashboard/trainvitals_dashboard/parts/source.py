"""Where layers are made, as links that open the line in an editor."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

from dash import html

from trainvitals.wire.messages import LayerInfo
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.icons import icon

MOST_LINKS: Final = 3


def made_at(layers: Iterable[LayerInfo]) -> list[Piece]:
    """The lines in which layers are made, each once; nothing where none is known."""
    known = dict.fromkeys(layer.source for layer in layers if layer.source is not None)
    if not known:
        return []
    return [html.Div(["Made at ", *map(_link, list(known)[:MOST_LINKS])], className="tv-made")]


def _link(source: str) -> Piece:
    """The file is what a training says of itself: one on another machine's share is named, and not opened."""
    file, _, line = source.replace("\\", "/").rpartition(":")
    if file.startswith("//"):
        return html.Code(source)
    return html.A(
        [icon("arrow-right", 13), f"{PurePosixPath(file).name}:{line}"],
        href=f"vscode://file/{quote(file.removeprefix('/'), safe='/:')}:{line}",
        title=f"Open {source} in Visual Studio Code, if it is on this machine",
    )
