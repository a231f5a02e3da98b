"""What a run was told, and where it ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dash import html

from trainvitals.wire.answers import RunDetail
from trainvitals_dashboard.parts.cards import Piece, card


def settings_card(detail: RunDetail) -> html.Section:
    """The settings, and the environment folded in."""
    settings = dict(flat(detail.config))
    body: list[Piece] = [
        _table(settings)
        if settings
        else html.Div(["None: give tv.init a ", html.Code("config"), "."], className="tv-none")
    ]
    environment = dict(flat(detail.environment))
    if environment:
        body.append(html.Details([html.Summary("Environment"), _table(environment)], className="tv-details"))
    sub = f"{len(settings)}" if settings else None
    return card("Settings", body, sub=sub, name="tv-settings")


def flat(settings: Mapping[str, Any], *, prefix: str = "") -> Iterator[tuple[str, str]]:  # Any: the user's own
    """Nested settings as ("optimizer.lr", "0.001")."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, prefix=f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _table(settings: Mapping[str, str]) -> html.Table:
    rows = [
        html.Tr([html.Th(key, scope="row", title=key), html.Td(value, title=value)]) for key, value in settings.items()
    ]
    return html.Table(html.Tbody(rows), className="tv-set")
