"""The top of a layer's drawer: how well it is, what it is, where it is made, and what concerns it."""

from __future__ import annotations

from collections.abc import Sequence

from dash import html

from trainvitals.wire.messages import Finding, LayerInfo
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.findings import joined
from trainvitals_dashboard.parts.health import state_of
from trainvitals_dashboard.parts.source import made_at
from trainvitals_dashboard.theme import STATUS


def layer_head(layer: LayerInfo, findings: Sequence[Finding], *, health: int | None) -> list[Piece]:
    """``findings`` are the run's; of these the open ones that name the layer are linked. ``health``: None where the
    layer was not recorded."""
    concerning = [finding for finding in findings if finding.state != "resolved" and layer.name in finding.layers]
    score = html.B(str(health), className=f"tv-num tv-{STATUS[state_of(health)][0]}")
    top = [
        html.Span(["Health ", score, " of 100"] if health is not None else "not recorded"),
        html.Span(f"{layer.kind} · {layer.parameters:,} parameters", className="tv-dim"),
    ]
    return [html.Div(top, className="tv-dr-top"), *made_at([layer]), *joined("What concerns it", concerning)]
