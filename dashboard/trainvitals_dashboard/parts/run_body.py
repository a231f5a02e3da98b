"""The page of a run, put together."""

from __future__ import annotations

import time

from dash import html

from trainvitals_dashboard.gathering import RunView
from trainvitals_dashboard.parts.alerts import alerts_card
from trainvitals_dashboard.parts.capture import capture
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.findings import findings_of
from trainvitals_dashboard.parts.frozen import frozen
from trainvitals_dashboard.parts.kpi import kpis
from trainvitals_dashboard.parts.layers import layers_card
from trainvitals_dashboard.parts.metrics_card import small_charts
from trainvitals_dashboard.parts.preflight_card import preflight_card
from trainvitals_dashboard.parts.ranks_card import ranks_card
from trainvitals_dashboard.parts.results import results
from trainvitals_dashboard.parts.run_charts import left_column
from trainvitals_dashboard.parts.run_head import head
from trainvitals_dashboard.parts.run_tabs import run_tabs
from trainvitals_dashboard.parts.settings_card import settings_card


def body(view: RunView, *, stat: str) -> list[Piece]:
    """The way to its other pages, head, key numbers, curves and heatmap, ranks, findings, layers, preflight, alerts,
    settings, metrics; checklist and changes are asked for when the page is there."""
    layers = layers_card(view.detail, view.findings, view.snapshot)
    right = [
        frozen("findings", findings_of(view)),
        frozen("checklist", None),
        frozen("changes", None),
        frozen("layers", layers),
        frozen("preflight", preflight_card(view.detail.preflight)),
        frozen("alerts", alerts_card(view.detail.notes.alerts)),
        frozen("settings", settings_card(view.detail, results(view))),
    ]
    metrics = html.Div(small_charts(view), id="metrics", className="tv-col")
    left = [*left_column(view, stat=stat), ranks_card(view.detail), metrics]
    columns = [html.Div(left, className="tv-col tv-linked"), html.Div(right, className="tv-col")]
    top = [html.Div(head(view), id="run-head", className="tv-runhead"), capture(view.detail, now=time.time())]
    return [
        run_tabs(view.detail.summary.run_id),
        html.Div(top, className="tv-runtop"),
        kpis(view.detail.summary, view.curves, loss=view.loss),
        html.Div(columns, className="tv-grid"),
    ]
