"""/: the table of all runs, live."""

from __future__ import annotations

from typing import Final

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html

from trainvitals.wire.answers import RunPage
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.icons import icon
from trainvitals_dashboard.parts.page import page, plainly
from trainvitals_dashboard.parts.runs_grid import runs_grid

FIRST_RUN: Final = """import trainvitals as tv

with tv.init(project="first-steps", name="hello") as run:
    run.watch(model, optimizer)
    for batch, target in loader:
        loss = criterion(model(batch), target)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        run.log({"loss": loss})
"""


def register(app: Dash, api: Api) -> None:
    """The page and its callbacks."""

    @plainly
    async def layout(text: str = "", **_: str) -> html.Div:
        found = await api.runs()
        return page(body(found, text=text) if found.total else empty(), live={"all": True})

    dash.register_page("trainvitals.runs", path="/", layout=layout, title="Runs · trainvitals")
    app.clientside_callback(
        ClientsideFunction("trainvitals", "search"),
        Output("runs-count", "title"),
        Input("runs-text", "value"),
        State("runs-partly", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("trainvitals", "compareLink"),
        Output("compare-link", "href"),
        Output("compare-link", "children"),
        Output("compare-link", "className"),
        Input("runs-grid", "selectedRows"),
    )


def body(found: RunPage, *, text: str) -> list[Piece]:
    """Title, search, the link that compares, and the table."""
    search = dmc.TextInput(
        id="runs-text",
        value=text,
        placeholder="Search name, project, tag",
        size="xs",
        w=240,
        **{"aria-label": "Search"},
    )
    link = dcc.Link("Select runs to compare", id="compare-link", href="/compare", className="tv-button tv-off")
    count = html.Span(counted(found), id="runs-count", className="tv-sub")
    title = html.Div([html.H1("Runs", className="tv-h1"), count], className="tv-title")
    partly = dcc.Store(id="runs-partly", data=counted(found) if len(found.runs) < found.total else None)
    return [
        partly,
        html.Div([title, html.Div([search, link], className="tv-head-r")], className="tv-runhead tv-runhead-runs"),
        html.Section(runs_grid(found), className="tv-card tv-gridcard", **{"aria-label": "Runs"}),
    ]


def counted(found: RunPage) -> str:
    """How many runs there are, and which of them the table has."""
    if len(found.runs) < found.total:
        return f"newest {len(found.runs):,} of {found.total:,} runs; search finds the others"
    return "1 run" if found.total == 1 else f"{found.total:,} runs"


def empty() -> list[Piece]:
    """How to send the first run."""
    clipboard = dcc.Clipboard(target_id="first-run", title="Copy", className="tv-copy")
    snippet = html.Div([html.Pre(html.Code(FIRST_RUN, id="first-run")), clipboard], className="tv-snippet")
    return [
        html.Div(
            [
                html.Span(icon("activity-heartbeat", 30), className="tv-accent"),
                html.H1("No runs yet", className="tv-h1"),
                html.P(["Put these lines around your training loop and start it. The run appears here by itself."]),
                snippet,
                html.P(
                    ["On another machine, set ", html.Code("TRAINVITALS_SERVER_URL"), " to this page's address."],
                    className="tv-dim",
                ),
            ],
            className="tv-empty",
        )
    ]
