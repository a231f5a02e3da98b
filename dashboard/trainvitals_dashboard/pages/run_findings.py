"""/runs/<run_id>/findings?finding=&state=&severity=: what was found, when, and what became of it; the URL is the
state."""

from __future__ import annotations

import time
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update

from trainvitals.wire.answers import RunDetail
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.pages.evidence import evidence_chart
from trainvitals_dashboard.pages.finding_acts import act, chosen_act
from trainvitals_dashboard.pages.found import FILTERS, Data, findings_view, in_pane, sign
from trainvitals_dashboard.pages.run_page import register_tab
from trainvitals_dashboard.parts import findings_body as parts
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.finding_acts import LABELS, act_buttons, history
from trainvitals_dashboard.parts.findings import title_of

SHOWN = [State(name, "data") for name in ("findings-chosen", "findings-shown", "live-run")]
LIVE = [Input(name, "data") for name in ("live-findings", "live-checklist", "live-reload", "findings-done")]
LOOK = [Input("findings-state", "value"), Input("findings-severity", "value")]


def register(app: Dash, api: Api) -> None:
    """The page and its callbacks."""

    async def body(detail: RunDetail, query: Data) -> list[Piece]:
        view = await findings_view(api, detail, query)
        named = query.get("finding", "")  # a link leads to what it names, whatever is filtered
        finding = view.chosen(named) if named else view.let_through()
        none = None if view.findings else parts.nothing_found(detail, await api.checklist(detail.summary.run_id))
        chart = await evidence_chart(api, finding, place="whole") if finding is not None else None
        chosen = finding.finding_id if finding is not None else ""
        stores = {"findings-chosen": named, "findings-shown": sign(finding), "findings-done": None}
        main = [
            parts.timeline_card(view, chosen),
            html.Section(parts.whole_finding(view, finding, chart), id="finding-whole", className="tv-card tv-finding"),
            parts.acts_card(finding, status=detail.summary.status),
        ]
        return [
            *(dcc.Store(id=name, data=data) for name, data in stores.items()),
            html.Div(none, id="findings-none"),
            html.Div(main, id="findings-main", className="tv-fgrid", hidden=not view.findings),
        ]

    register_tab(api, "findings", body)
    _register_timeline(app, api)
    _register_chosen(app, api)
    look = ClientsideFunction("trainvitals", "findingsLook")
    app.clientside_callback(look, Output("findings-chips", "title"), *LOOK, prevent_initial_call=True)
    come = ClientsideFunction("trainvitals", "findingsShown")
    app.clientside_callback(come, Output("lane-of", "title"), Input("findings-shown", "data"))


def _register_timeline(app: Dash, api: Api) -> None:
    timeline = [Output("g-findings", "figure"), Output("findings-lanes", "children")]
    rest = [
        Output("findings-count", "children"),
        Output("findings-none", "children"),
        Output("findings-main", "hidden"),
    ]

    @app.callback(*timeline, *rest, *LOOK, *LIVE, *SHOWN, prevent_initial_call=True)
    async def redraw(state: Any, severity: Any, *more: Any) -> tuple[Any, ...]:  # Any: Dash's
        wanted, shown, live = more[-3:]
        detail = await api.run(live["run"])
        view = await findings_view(api, detail, {"state": state, "severity": severity})
        none = None if view.findings else parts.nothing_found(detail, await api.checklist(live["run"]))
        chosen = view.let_through(wanted or "", (shown or {}).get("finding", ""))
        figure, lanes = parts.timeline_figure(view), parts.lanes_of(view, chosen.finding_id if chosen else "")
        return figure, lanes, parts.counted(view), none, not view.findings


def _register_chosen(app: Dash, api: Api) -> None:
    whole = [Output(name, "children") for name in ("finding-whole", "lane-buttons", "lane-history", "lane-of")]

    @app.callback(
        *whole,
        Output("findings-shown", "data"),
        Input("findings-chosen", "data"),
        *LOOK,
        *LIVE,
        *SHOWN[1:],
        prevent_initial_call=True,
    )
    async def show(wanted: str, state: Any, severity: Any, *more: Any) -> tuple[Any, ...]:  # Any: Dash's
        shown, live = more[-2:]
        detail = await api.run(live["run"])
        view, status = await findings_view(api, detail, {"state": state, "severity": severity}), detail.summary.status
        finding = in_pane(view, wanted or "", shown, by=ctx.triggered_id)
        if finding is None and ctx.triggered_id in FILTERS:
            return parts.nothing_in_pane(), act_buttons(None, parts.PLACE, status=status), None, "", None
        if finding is None or sign(finding) == shown:
            return (no_update,) * 5  # who reads it reads on
        chart = await evidence_chart(api, finding, place="whole")
        told = act_buttons(finding, parts.PLACE, status=status), history(finding), title_of(finding.rule)
        return parts.whole_finding(view, finding, chart), *told, sign(finding)

    @app.callback(
        Output("lane-refused", "children"),
        Output("lane-said", "value"),
        Output("findings-done", "data"),
        [Input(f"{parts.PLACE}-{one}", "n_clicks") for one in LABELS],
        State("lane-said", "value"),
        *SHOWN[1:],
        prevent_initial_call=True,
    )
    async def act_on_chosen(*given: Any) -> tuple[Any, ...]:  # Any: Dash's
        clicks, (comment, shown, live) = given[: len(LABELS)], given[len(LABELS) :]
        if not any(clicks) or not shown:
            return (no_update,) * 3  # they have just been drawn
        refused = await act(api, live["run"], shown["finding"], chosen_act(parts.PLACE), comment or "")
        return refused, comment if refused else "", time.time()
