"""What made a rule speak, drawn for who looks at its finding."""

from __future__ import annotations

from urllib.parse import quote

from dash import html

from trainvitals.wire.messages import Finding
from trainvitals_dashboard import words
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.figures.evidence import evidence_figure, threshold_of
from trainvitals_dashboard.pages.absent import or_none
from trainvitals_dashboard.pages.layer_series import stat_curve
from trainvitals_dashboard.parts.cards import Piece, graph


async def evidence_chart(api: Api, finding: Finding, *, place: str = "drawer") -> Piece:
    """The series with what the rule saw in it; nothing where none was recorded. ``place``: part of its id."""
    evidence = finding.evidence
    layers = evidence.layers or finding.layers
    if evidence.stat and layers:
        curve = await stat_curve(api, finding.run_id, evidence.stat, layers[0])
        caption: Piece = [f"{words.stat(evidence.stat)} of ", html.Code(layers[0])]
    elif evidence.metric:
        curve = await or_none(api.metric_curve(finding.run_id, evidence.metric, points=500))
        caption = words.metric(evidence.metric)
    else:
        return None
    if curve is None:
        return None
    name = evidence.stat or str(evidence.metric)
    figure = evidence_figure(
        curve, evidence, since=finding.first_step, log=not words.is_linear(name), name=words.stat(name)
    )
    line = threshold_of(evidence)
    said = html.Span(f"dashed: {words.number(line)}", className="tv-dr-line") if line is not None else None
    key = quote(name, safe="").replace(".", "%2E")  # an id takes no dots
    of = f" of {layers[0]}" if evidence.stat and layers else ""
    plot = graph(f"g-{place}-{key}", figure, height=165, label=f"{words.stat(name)}{of} over steps")
    return html.Div([html.Div([html.Span(caption), said], className="tv-sub tv-dr-cap"), plot])
