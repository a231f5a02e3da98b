"""Pieces that only show: drawn as HTML here, and one component for the browser, however much they tell.

Dash's renderer asks every component on the page at every change of any: hundreds of spans that never take part in a
callback made each update of a run of 200 layers seconds of work.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from trainvitals_dashboard.parts.cards import Piece

HTML_NAMES: Final = {
    "className": "class",
    "htmlFor": "for",
    "tabIndex": "tabindex",
    "colSpan": "colspan",
    "rowSpan": "rowspan",
}
ADDRESSES: Final = ("href", "src")
RUNNING: Final = ("javascript:", "data:", "vbscript:")
VOID: Final = frozenset({"br", "col", "hr", "img", "input", "wbr"})
WITHOUT_UNIT: Final = frozenset(
    {"flex", "flexGrow", "fontWeight", "gridColumn", "gridRow", "lineHeight", "opacity", "order", "zIndex"}
)


class Frozen(Component):  # type: ignore[misc]  # Dash is not typed
    """The component (assets/05-frozen.js); a callback sets its ``html``, and what differs is changed in place."""

    _children_props: list[str] = []  # noqa: RUF012  # as Dash's own
    _base_nodes: list[str] = []  # noqa: RUF012
    _namespace = "trainvitals_dashboard"
    _type = "Frozen"

    def __init__(self, id: str, html: str) -> None:  # Dash's names
        self._prop_names = self.available_properties = ["id", "html"]
        self._valid_wildcard_attributes: list[str] = []
        self.available_wildcard_properties: list[str] = []
        super().__init__(id=id, html=html)


def frozen(name: str, piece: Piece) -> Frozen:
    """The piece, in a component of this id."""
    return Frozen(id=name, html=drawn(piece))


def drawn(piece: Piece) -> str:
    """HTML of html components, links, texts, numbers and lists of them, as React would draw it.

    Raises TypeError for a component that does more than show: one with an id, or not of ``dash.html``.
    """
    if piece is None or isinstance(piece, bool):
        return ""
    if isinstance(piece, list | tuple):
        return "".join(map(drawn, piece))
    if not isinstance(piece, Component):
        return escape(str(piece), quote=False)
    props = dict(piece.to_plotly_json()["props"])
    children = props.pop("children", None)
    if isinstance(piece, dcc.Link):
        tag, props = "a", {"data-go": "", **props}  # assets/26-ways.js
    elif type(piece).__module__.startswith(html.__name__):
        tag = piece._type.lower()
    else:
        raise TypeError(f"{piece._type} does more than show, and cannot be drawn as HTML: keep it outside of frozen()")
    if "id" in props:
        raise TypeError(f"callbacks do not reach {props['id']!r} within frozen HTML: keep it outside of frozen()")
    start = f"<{tag}{''.join(_attribute(name, value) for name, value in props.items())}>"
    return start if tag in VOID else f"{start}{drawn(children)}</{tag}>"


def _attribute(name: str, value: Any) -> str:
    if value is None or (value is False and not name.startswith(("aria-", "data-"))):
        return ""
    if name == "n_clicks":
        raise TypeError("callbacks do not hear of clicks within frozen HTML: keep the button outside of frozen()")
    if name in ADDRESSES and str(value).strip().lower().startswith(RUNNING):
        return ""  # what Dash would clean in the browser
    if name == "style":
        value = _style(value)
    elif isinstance(value, bool):
        value = str(value).lower() if name.startswith(("aria-", "data-")) else ""
    return f' {HTML_NAMES.get(name, name)}="{escape(str(value))}"'


def _style(style: Mapping[str, Any]) -> str:
    return ";".join(f"{_property(name)}:{_length(name, value)}" for name, value in style.items() if value is not None)


def _property(name: str) -> str:
    """ "gridTemplateColumns" → "grid-template-columns"; variables stay."""
    if name.startswith("--"):
        return name
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)


def _length(name: str, value: Any) -> str:
    is_number = isinstance(value, int | float) and not name.startswith("--") and name not in WITHOUT_UNIT
    return f"{value}px" if is_number and value else str(value)
