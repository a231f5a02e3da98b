"""What a run was told, and where it ran."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dash import html

from trainvitals.wire.answers import RunDetail
from trainvitals_dashboard.parts.cards import Piece, card


def settings_card(detail: RunDetail, results: Sequence[tuple[str, str]] = ()) -> html.Section:
    """The settings, the results beneath them where there are some, and the environment folded in."""
    settings = list(flat(detail.config))
    body: list[Piece] = [
        _table(settings)
        if settings
        else html.Div(
            html.Span(["None. Pass ", html.Code("config="), " to ", html.Code("tv.init"), "."]), className="tv-none"
        )
    ]
    if results:
        body += [html.H3("Summary", className="tv-h3"), _table(results)]
    environment = environment_table(detail)
    if environment is not None:
        inside = [html.Summary("Environment"), environment]
        body.append(html.Details(inside, className="tv-details", **{"data-fold": "environment"}))
    sub = f"{len(settings)}" if settings else None
    return card("Settings", body, sub=sub, name="tv-settings")


def environment_table(detail: RunDetail) -> html.Table | None:
    """Where the run ran; None where nothing is known of it."""
    environment = list(flat(_known(detail.environment)))
    return _table(environment) if environment else None


def flat(settings: Mapping[str, Any], *, prefix: str = "") -> Iterator[tuple[str, str]]:  # Any: the user's own
    """Nested settings as ("optimizer.lr", "0.001")."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, prefix=f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def _known(environment: Mapping[str, Any]) -> dict[str, Any]:  # Any: as the SDK reported it
    """Without what could not be found out, and without what was changed, which the page of settings shows; the command
    as it would be typed."""
    known = {name: value for name, value in environment.items() if value is not None and name != "patch"}
    if isinstance(command := known.get("command"), list):
        known["command"] = shlex.join(map(str, command))
    return known


def _table(settings: Iterable[tuple[str, str]]) -> html.Table:
    rows = [html.Tr([html.Th(key, scope="row", title=key), html.Td(value, title=value)]) for key, value in settings]
    return html.Table(html.Tbody(rows), className="tv-set")
