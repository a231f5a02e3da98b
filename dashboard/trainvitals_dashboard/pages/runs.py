"""/?text=&columns=&sort=&group=&of=: the table of all runs, live; the URL is the state."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Final

import dash
from dash import ClientsideFunction, Dash, Input, Output, dcc, html

from trainvitals.wire import coding
from trainvitals_dashboard.api import Api, ApiError
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.icons import icon
from trainvitals_dashboard.parts.page import page, plainly
from trainvitals_dashboard.parts.runs_bar import runs_bar
from trainvitals_dashboard.parts.runs_grid import ROWS_AT_ONCE, Options, columns_of, runs_grid
from trainvitals_dashboard.runs_look import RunsLook

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
    async def layout(**query: str) -> html.Div:
        look = RunsLook.of(query)
        first = await first_rows(api, look)
        is_empty = not first["total"] and not look.text and not (await api.runs(text="is:all", limit=1)).total
        return page(empty() if is_empty else body(look, first), live={"all": True})

    dash.register_page("trainvitals.runs", path="/", layout=layout, title="Runs · trainvitals")
    begins = [Input("runs-first", "data"), Input("runs-grid", "getRowsRequest")]
    for function, inputs in (("begin", begins), ("search", [Input("runs-text", "value")])):
        output = Output("runs-count", "title", allow_duplicate=True)
        asked = ClientsideFunction("runs", function)
        app.clientside_callback(asked, output, inputs, prevent_initial_call="initial_duplicate")

    @app.callback(Output("runs-grid", "columnDefs"), Input("runs-columns", "data"), prevent_initial_call=True)
    async def choose(columns: str) -> list[Options]:
        return columns_of(RunsLook.of({"columns": columns}))


async def first_rows(api: Api, look: RunsLook) -> dict[str, Any]:  # Any: JSON
    """What the table shows at first: rows as live updates bring them, or why there are none."""
    try:
        found = await api.runs(
            text=look.text,
            limit=ROWS_AT_ONCE,
            sort_by=look.sort_by,
            descending=look.descending,
            settings=look.settings,
        )
    except ApiError as error:
        if error.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            raise
        return {"text": look.text, "total": 0, "runs": [], "refused": True}
    return {"text": look.text, "sort": look.sort} | dict(json.loads(coding.encode(found, media_type=coding.JSON)))


def body(look: RunsLook, first: dict[str, Any]) -> list[Piece]:  # Any: as first_rows answers
    """Title, search and menus, groups, the table, and what stands in for it where nothing is found."""
    return [
        dcc.Store(id="runs-first", data=first),
        dcc.Store(id="runs-columns"),
        runs_bar(text=look.text, count=counted(first["total"], is_search=bool(look.text))),
        html.Div(id="runs-groups"),
        html.Section(
            [
                html.Div(runs_grid(look), className="tv-rg", id="runs-rows", style={"--rows": first["total"]}),
                html.Div(id="runs-none", className="tv-rg-none"),
            ],
            className="tv-card tv-gridcard",
            **{"aria-label": "Runs"},
        ),
        html.Div(id="runs-chosen", className="tv-chosen", role="toolbar", **{"aria-label": "Selected runs"}),
        html.Div(id="runs-toast", className="tv-toast", role="status"),
    ]


def counted(total: int, *, is_search: bool) -> str:
    """How many runs there are, or are found."""
    runs = "1 run" if total == 1 else f"{total:,} runs"
    return f"{runs} {'matches' if total == 1 else 'match'}" if is_search else runs


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
