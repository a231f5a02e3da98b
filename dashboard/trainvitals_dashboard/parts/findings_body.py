"""The page of a run's findings: timeline, the chosen finding whole, and what is done about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import dash_mantine_components as dmc
from dash import dcc, html

from trainvitals.wire.answers import Curve, RunDetail
from trainvitals.wire.checklist import Checklist
from trainvitals.wire.messages import Finding
from trainvitals.wire.ordering import in_order
from trainvitals_dashboard.figures.timeline import Extent, loss_above
from trainvitals_dashboard.parts.addresses import run_path
from trainvitals_dashboard.parts.cards import Piece, card, graph, pill
from trainvitals_dashboard.parts.finding_acts import act_buttons, comment_box, history
from trainvitals_dashboard.parts.finding_lanes import KINDS, lanes
from trainvitals_dashboard.parts.findings import finding_in_full, title_of
from trainvitals_dashboard.parts.icons import icon

PLACE: Final = "lane"  # begins the ids of what can be done here; the drawer has its own
LOSS_PX: Final = 132
STATES: Final = {"open": "Open", "acknowledged": "Acknowledged", "snoozed": "Snoozed", "resolved": "Resolved"}
SEVERITIES: Final = {"critical": "Critical", "warning": "Warning", "info": "Info"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsView:
    """What was found in a run, and its loss. ``states`` and ``severities``: those that are shown; none chosen is
    all."""

    detail: RunDetail
    findings: Sequence[Finding]
    curve: Curve
    name: str = "Loss"
    states: Sequence[str] = field(default_factory=tuple)
    severities: Sequence[str] = field(default_factory=tuple)

    @property
    def shown(self) -> list[Finding]:
        """Those that the filters let through."""
        return [
            one
            for one in self.findings
            if (not self.states or one.state in self.states)
            and (not self.severities or one.severity in self.severities)
        ]

    @property
    def extent(self) -> Extent:
        """The axis, which is the same whatever is shown."""
        return Extent.of(self.findings, self.curve, last_step=self.detail.summary.last_step)

    def chosen(self, wanted: str) -> Finding | None:
        """The one that is wanted, else the first lane's, else the first of all."""
        by_id = {finding.finding_id: finding for finding in self.findings}
        first = next((finding for finding, _ in in_order(self.shown or self.findings)), None)
        return by_id.get(wanted, first)

    def let_through(self, *wanted: str) -> Finding | None:
        """The first of those that are wanted which the filters let through, else the first lane's."""
        by_id = {finding.finding_id: finding for finding in self.shown}
        first = next((finding for finding, _ in in_order(self.shown)), None)
        return next((by_id[one] for one in wanted if one in by_id), first)


def words_of(query: Mapping[str, Any], name: str, known: Mapping[str, str]) -> list[str]:
    """What an address or the browser chose: "open,snoozed"; what is not known is left out."""
    given = query.get(name) or ""
    chosen = given.split(",") if isinstance(given, str) else given
    return [one for one in known if one in chosen]


def filters(states: Sequence[str], severities: Sequence[str]) -> html.Div:
    """Chips by state and by severity."""
    groups = (("findings-state", STATES, states, "By state"), ("findings-severity", SEVERITIES, severities, "Severity"))
    return html.Div(
        [
            html.Div(
                dmc.ChipGroup(
                    [dmc.Chip(word, value=name, size="xs", variant="outline") for name, word in known.items()],
                    id=id_, multiple=True, value=list(chosen),
                ),
                className="tv-chips", role="group", **{"aria-label": label},
            )
            for id_, known, chosen, label in groups
        ],
        id="findings-chips", className="tv-chiprow",
    )  # fmt: skip


def counted(view: FindingsView) -> str:
    """How many are shown, and how all of them stand."""
    counts: Counter[str] = Counter(finding.state for finding in view.findings)
    said = " · ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    shown = len(view.shown)
    return said if shown == len(view.findings) else f"{shown} of {len(view.findings)} shown · {said}"


def timeline_card(view: FindingsView, chosen: str) -> html.Section:
    """The loss, the lanes beneath it on the same axis, and what the marks mean."""
    label = html.Span(
        [html.Span(view.name, className="tv-lane-title"), html.Span("over steps", className="tv-lane-under")],
        className="tv-lane-text",
    )
    plot = graph("g-findings", timeline_figure(view), height=LOSS_PX, label=f"{view.name} over steps")
    above = html.Div([html.Span(label, className="tv-lane-name"), plot], className="tv-lane-loss")
    body = [
        filters(view.states, view.severities),
        above,
        html.Div(lanes_of(view, chosen), id="findings-lanes"),
        _key(),
    ]
    sub = html.Span(counted(view), id="findings-count", role="status")
    return card("Timeline", body, sub=sub, name="tv-ftime")


def timeline_figure(view: FindingsView) -> Any:  # Any: plotly's figure, whose package has no types
    """The loss, or the first metric that there is."""
    return loss_above(view.curve, view.extent, name=view.name)


def lanes_of(view: FindingsView, chosen: str) -> Piece:
    """The lanes that the filters let through, or that they let none."""
    if not view.shown:
        return nothing_in_pane()
    return lanes(view.shown, view.extent, chosen=chosen)


def whole_finding(view: FindingsView, finding: Finding | None, chart: Piece) -> list[Piece]:
    """The chosen one as the drawer has it, beneath its title."""
    if finding is None:
        return [nothing_in_pane()]  # not seen where nothing was found at all
    told = finding_in_full(
        finding, chart, among=view.findings, layers=view.detail.layers, optimizers=view.detail.optimizers
    )
    return [html.H2(title_of(finding.rule), className="tv-finding-t"), *told]


def nothing_in_pane() -> Piece:
    """What stands in place of a finding where the filters let none through."""
    return html.P("No finding is like that: take a filter away.", className="tv-none")


def acts_card(finding: Finding | None, *, status: str) -> html.Section:
    """What people do about it, and what became of it."""
    body = [
        comment_box(PLACE),
        html.Div(act_buttons(finding, PLACE, status=status), id="lane-buttons"),
        html.Div(id="lane-refused", className="tv-crit", role="alert"),
        html.Div(history(finding) if finding is not None else None, id="lane-history"),
    ]
    sub = html.Span(title_of(finding.rule) if finding is not None else "", id="lane-of")
    return card("What is done about it", body, sub=sub, name="tv-facts")


def nothing_found(detail: RunDetail, checklist: Checklist) -> html.Section:
    """That nothing was found, and by how much that was looked at."""
    lines = [line for stage in checklist.stages for line in stage.lines if line.source == "rule"]
    counts = Counter(line.status for line in lines)
    step, goes_on = detail.summary.last_step, detail.summary.status == "running"
    far = f"up to step {step:,}" if step is not None else "before its first step"
    said = [
        f"{len(lines)} rules concern this run, judged {far}: {counts['passed']} had all that they need, and found "
        "nothing wrong",
        f"; {counts['unknown']} cannot tell, for they need more than was recorded." if counts["unknown"] else ".",
    ]
    soon = html.P("A finding appears here by itself, with its steps, as soon as there is one.") if goes_on else None
    way = dcc.Link(
        ["What was looked at, stage by stage", icon("arrow-right", 15)],
        href=f"{run_path(detail.summary.run_id)}#checklist",
        className="tv-more",
    )
    found = counts["failed"]
    head = [html.Span(icon("circle-check", 26), className="tv-ok"), html.H2("Nothing found", className="tv-h1")]
    if found:  # the checklist is newer than the findings that were asked for
        return html.Section([pill("warning", f"{found} found just now")], className="tv-card tv-notice")
    return html.Section([*head, html.P(said), soon, way], className="tv-card tv-notice", role="status")


def _key() -> html.Div:
    marks = [
        html.Span([html.Span(icon(picture, 12), className="tv-mark"), word])
        for picture, word in KINDS.values()
        if picture
    ]
    found = html.Span([icon("alert-octagon", 13), icon("alert-triangle", 13), icon("info-circle", 13), "found"])
    still = html.Span([html.I(className="tv-lane-still"), "not over"])
    return html.Div([found, *marks, still], className="tv-legend tv-lane-key", **{"aria-label": "What marks mean"})
