"""The page of one layer: what it is, what is wrong with it, all its curves, the way to its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dash import dcc, html

from trainvitals.wire.answers import Curve, LayerHistograms, RunDetail
from trainvitals.wire.messages import LayerInfo
from trainvitals_dashboard.parts.addresses import layer_path, layer_word, layers_path
from trainvitals_dashboard.parts.cards import Piece, pill
from trainvitals_dashboard.parts.findings import joined
from trainvitals_dashboard.parts.health import state_of
from trainvitals_dashboard.parts.icons import icon
from trainvitals_dashboard.parts.layer_charts import Newest, layer_charts, layer_distributions
from trainvitals_dashboard.parts.layer_rows import LayerRow, mark
from trainvitals_dashboard.parts.source import made_at
from trainvitals_dashboard.theme import STATUS


def layer_body(
    detail: RunDetail,
    rows: Sequence[LayerRow],
    layer: str,
    *,
    curves: Mapping[str, Curve],
    newest: Newest,
    histograms: Sequence[LayerHistograms],
) -> list[Piece]:
    """All below the tabs; ``rows`` are those of all layers, among which this one is."""
    linked = [
        html.Div(layer_charts(layer, curves, newest), id="layer-charts", className="tv-col"),
        html.Div(layer_distributions(histograms), id="layer-distributions", className="tv-col"),
    ]
    return [
        dcc.Store(id="layer-name", data=layer),
        neighbours(detail.summary.run_id, rows, layer),
        html.Div(layer_card(detail, rows, layer, has_numbers=bool(curves)), id="layer-head"),
        html.Div(linked, className="tv-col tv-linked"),
    ]


def neighbours(run_id: str, rows: Sequence[LayerRow], layer: str) -> html.Nav:
    """Back to all layers; to the layer before, and to the next."""
    names = [row.name for row in rows]
    place = names.index(layer)
    before = names[place - 1] if place else None
    after = names[place + 1] if place + 1 < len(names) else None
    back = dcc.Link([icon("arrow-right", 15), "All layers"], href=layers_path(run_id), className="tv-way tv-way-back")
    ways = [
        _way(run_id, before, word="Previous layer", name="tv-way tv-way-back"),
        html.Span(f"{place + 1} of {len(names)}", className="tv-sub tv-num"),
        _way(run_id, after, word="Next layer", name="tv-way tv-way-on"),
    ]
    return html.Nav([back, html.Div(ways, className="tv-ways")], className="tv-layernav", **{"aria-label": "Layers"})


def layer_card(detail: RunDetail, rows: Sequence[LayerRow], layer: str, *, has_numbers: bool) -> html.Section:
    """Name, health, kind, parameters, source, findings. ``has_numbers``: whether any was recorded of it."""
    row = next(row for row in rows if row.name == layer)
    told = next((one for one in detail.layers if one.name == layer), None)
    is_known = row.state in STATUS and (has_numbers or bool(row.findings))
    state = pill(row.state) if is_known else mark("unknown")
    facts = [html.Span(fact) for fact in _facts(told)]
    parts = [
        html.Div([html.H2(html.Code(layer_word(layer)), className="tv-layername"), state], className="tv-title"),
        html.Div([_health(row, has_numbers=has_numbers), *facts], className="tv-meta"),
        *(made_at([told]) if told else []),
        *joined("Findings", row.findings),
    ]
    return html.Section(parts, className="tv-card tv-layercard", **{"aria-label": layer_word(layer)})


def _health(row: LayerRow, *, has_numbers: bool) -> html.Span:
    """Of what was not recorded, or never as a number, nothing is known."""
    if row.state == "unknown":
        return html.Span("not recorded")
    if not has_numbers and not row.findings:
        return html.Span("Health not known: no number was recorded of it")
    token = STATUS[state_of(row.health)][0]
    return html.Span(["Health ", html.B(str(row.health), className=f"tv-num tv-{token}"), " of 100"])


def _facts(told: LayerInfo | None) -> list[str]:
    if told is None:
        return ["not declared by the model"]
    if not told.parameters:
        return [told.kind, "no parameters of its own"]
    frozen = "" if told.trainable == told.parameters else f", {told.trainable:,} of them trained"
    without = [] if told.in_optimizer or not told.trainable else ["in no optimizer"]
    kept = [told.dtype] if told.dtype else []
    return [told.kind, f"{told.parameters:,} parameters{frozen}", *kept, *without]


def _way(run_id: str, layer: str | None, *, word: str, name: str) -> Piece:
    """To a neighbour, where there is one."""
    if layer is None:
        return None
    text = html.Span(html.Bdi(layer_word(layer)), className="tv-way-t")
    said = f"{word}: {layer_word(layer)}"
    line = [icon("arrow-right", 15), text]
    return html.A(
        line, href=layer_path(run_id, layer), className=name, title=said, **{"aria-label": said, "data-go": ""}
    )
