"""Something done about a finding that one looks at."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State, ctx, no_update

from trainvitals.wire.messages import Act, FindingAct
from trainvitals_dashboard.api import Api, ApiError
from trainvitals_dashboard.pages.drawer import finding_drawer
from trainvitals_dashboard.parts.finding_acts import LABELS, SNOOZED_STEPS


def register_finding_acts(app: Dash, api: Api) -> None:
    """Do it on a click, and draw the finding as it is then."""

    @app.callback(
        Output("drawer", "children", allow_duplicate=True),
        [Input(f"finding-{act}", "n_clicks") for act in LABELS],
        State("finding-said", "value"),
        State("drawer-asked", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def act_on_finding(*given: Any) -> Any:  # Any: Dash's
        clicks, (comment, asked, live) = given[: len(LABELS)], given[len(LABELS) :]
        if not any(clicks) or not asked:
            return no_update  # they have just been drawn
        refused = await act(api, live["run"], asked["name"], chosen_act("finding"), comment or "")
        return (await finding_drawer(api, live["run"], asked["name"], refused=refused))[2]


def chosen_act(place: str) -> Act:
    """Whose button was clicked, of those whose ids begin with ``place``."""
    return next(act for act in LABELS if ctx.triggered_id == f"{place}-{act}")


async def act(api: Api, run_id: str, finding_id: str, act: Act, comment: str) -> str:
    """Do it; what the server says where it refuses."""
    try:
        await api.act_on_finding(run_id, finding_id, FindingAct(act=act, comment=comment, steps=SNOOZED_STEPS))
    except ApiError as error:
        return str(error)[:1].upper() + str(error)[1:]
    return ""
