"""What was found in a run, gathered for the page of its findings."""

from __future__ import annotations

import asyncio
from typing import Any

from trainvitals.wire.answers import RunDetail
from trainvitals.wire.messages import Finding
from trainvitals_dashboard import words
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.gathering import empty_curve, loss_metric
from trainvitals_dashboard.pages.absent import or_none
from trainvitals_dashboard.parts import findings_body as parts

POINTS = 400
FILTERS = ("findings-state", "findings-severity")
Data = dict[str, Any]  # what browser stores hold


async def findings_view(api: Api, detail: RunDetail, query: Data) -> parts.FindingsView:
    """What was found, as the ``query`` filters it."""
    run_id, metric = detail.summary.run_id, loss_metric(detail)
    found, curve = await asyncio.gather(api.findings(run_id), or_none(api.metric_curve(run_id, metric, points=POINTS)))
    return parts.FindingsView(
        detail=detail,
        findings=found.findings,
        curve=curve or empty_curve(run_id, metric),
        name=words.metric(metric),
        states=parts.words_of(query, "state", parts.STATES),
        severities=parts.words_of(query, "severity", parts.SEVERITIES),
    )


def in_pane(view: parts.FindingsView, wanted: str, shown: Data | None, *, by: str | None) -> Finding | None:
    """The finding that is shown whole after something has changed, ``by`` its name: the one that was chosen by hand,
    whatever is filtered; one that the filters let through when they changed; else the one that is ``shown``."""
    before = (shown or {}).get("finding", "")
    if by == "findings-chosen":
        return view.chosen(wanted or before)
    through = view.let_through(wanted, before)
    if by in FILTERS or not before or (through is not None and through.finding_id == wanted):
        return through
    return view.chosen(before)


def sign(finding: Finding | None) -> Data | None:
    """By which a page knows whether what it shows of a finding has changed in more than its numbers."""
    if finding is None:
        return None
    told = [finding.state, finding.severity, finding.layers, finding.cause_id, len(finding.history)]
    return {"finding": finding.finding_id, "told": told}
