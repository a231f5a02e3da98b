"""Optimizers with all settings of each of their parameter groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dash import html

from trainvitals.wire.messages import OptimizerInfo, ParameterGroup
from trainvitals_dashboard.parts.cards import Piece, card
from trainvitals_dashboard.parts.optimizers import optimizers, told_value
from trainvitals_dashboard.parts.source import made_at

MOST_GROUPS: Final = 12  # columns of a table
MOST_LAYERS: Final = 30  # that are named


def optimizers_card(found: Sequence[OptimizerInfo]) -> html.Section:
    """As they were when watching began: what a schedule changes has a chart."""
    if not found:
        none = html.Span(["None is watched. Pass it along: ", html.Code("run.watch(model, optimizer)"), "."])
        return card("Optimizers", html.Div(none, className="tv-none"), name="tv-op")
    body = [html.Div(_told(one, place), className="tv-op-one") for place, one in enumerate(found)]
    return card("Optimizers", body, sub="as they were when watching began", name="tv-op")


def _told(optimizer: OptimizerInfo, place: int) -> list[Piece]:
    groups = optimizer.groups or [ParameterGroup()]
    count = f"{len(groups)} parameter groups" if len(groups) > 1 else "one parameter group"
    inside = [html.Summary(f"All settings, {count}"), _table(groups)]
    fold = html.Details(inside, className="tv-details", **{"data-fold": f"optimizer {place}"})
    return [*optimizers([optimizer]), *made_at([optimizer]), fold]


def _table(groups: Sequence[ParameterGroup]) -> html.Div:
    """Settings in rows, groups in columns."""
    shown = groups[:MOST_GROUPS]
    names = list(dict.fromkeys(name for group in shown for name in group.settings))
    heads = [html.Th("" if len(groups) == 1 else f"group {place}", scope="col") for place in range(len(shown))]
    rows = [
        html.Tr(
            [html.Th(name, scope="row"), *(html.Td(told_value(group.settings.get(name))) for group in shown)],
            **{"data-setting": f"{name} {' '.join(str(group.settings.get(name)) for group in shown)}".lower()},
        )
        for name in names
    ]
    layers = [html.Th("layers", scope="row"), *(html.Td(_layers(group.layers)) for group in shown)]
    more = (
        html.P(f"{len(groups) - MOST_GROUPS} more groups.", className="tv-sub") if len(groups) > MOST_GROUPS else None
    )
    head = [html.Thead(html.Tr([html.Td(), *heads]))] if len(groups) > 1 else []
    table = html.Table([*head, html.Tbody([*rows, html.Tr(layers)])], className="tv-op-table")
    return html.Div([table, more], className="tv-op-scroll")


def _layers(layers: Sequence[str]) -> str:
    if not layers:
        return "–"
    more = f" and {len(layers) - MOST_LAYERS} more" if len(layers) > MOST_LAYERS else ""
    return f"{len(layers)}: {', '.join(layers[:MOST_LAYERS])}{more}"
