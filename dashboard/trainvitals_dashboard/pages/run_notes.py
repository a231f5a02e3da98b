"""/runs/<run_id>/notes: what people wrote of a run, edited in place, and what its script told."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, no_update

from trainvitals.wire.answers import RunDetail
from trainvitals.wire.journal import JournalChange
from trainvitals_dashboard.api import Api, ApiError
from trainvitals_dashboard.pages.run_page import register_tab
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.notes_body import EARLIER, body, newest_of, read_view, theirs, told_by_script

Data = dict[str, Any]  # what browser stores hold
SOMEBODY = "somebody"
MOST_OF_A_NAME = 100  # characters


def register(app: Dash, api: Api) -> None:
    """The page and its callbacks."""

    async def whole(detail: RunDetail, _query: dict[str, str]) -> list[Piece]:
        return body(detail, await api.journal(detail.summary.run_id, versions=EARLIER))

    register_tab(api, "notes", whole)
    _register_writing(app, api)
    _register_live(app, api)
    _register_browser(app)


def _register_writing(app: Dash, api: Api) -> None:
    @app.callback(
        Output("notes-saved", "data"),
        Output("notes-refused", "children"),
        Output("notes-mode", "data", allow_duplicate=True),
        Input("notes-save", "n_clicks"),
        Input("notes-over", "n_clicks"),
        *(State(name, "value") for name in ("notes-text", "notes-by")),
        *(State(name, "data") for name in ("notes-base", "notes-newest", "live-run")),
        running=[(Output("notes-text", "readOnly"), True, False)],  # what is written meanwhile would not be saved
        prevent_initial_call=True,
    )
    async def save(_save: Any, _over: Any, text: str, by: str, base: Data, newest: Data, live: Data) -> tuple[Any, ...]:
        after = (newest if ctx.triggered_id == "notes-over" else base)["version"]
        change = JournalChange(text=text or "", by=(by or "").strip()[:MOST_OF_A_NAME] or SOMEBODY, after=after)
        try:
            await api.write_journal(live["run"], change)
        except ApiError as error:
            # of two who write at once the second is shown what the first wrote
            refused = "" if error.status == HTTPStatus.CONFLICT else str(error)[:1].upper() + str(error)[1:]
            return time.time(), refused, no_update
        return time.time(), "", "read"


def _register_live(app: Dash, api: Api) -> None:
    @app.callback(
        Output("notes-read", "children"),
        Output("notes-newest", "data"),
        Output("notes-conflict", "hidden"),
        Output("notes-theirs", "children"),
        Input("notes-saved", "data"),
        Input("live-notes", "data"),
        Input("live-reload", "data"),
        *(State(name, "data") for name in ("notes-mode", "notes-base", "live-run")),
        State("notes-text", "value"),
        prevent_initial_call=True,
    )
    async def show(
        _saved: Any, _noted: Any, _reload: Any, mode: str, base: Data | None, live: Data, text: str
    ) -> tuple[Any, ...]:
        journal = await api.journal(live["run"], versions=EARLIER)
        now = journal.now
        # what was just saved is newer too, before the browser knows that it was saved
        is_behind = mode == "write" and base is not None and now.version != base["version"] and now.text != text
        return read_view(journal), newest_of(journal), not is_behind, theirs(now) if is_behind else None

    @app.callback(
        Output("notes-script", "children"),
        Input("live-notes", "data"),
        Input("live-reload", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_script(_noted: Any, _reload: Any, live: Data) -> list[Piece]:
        return told_by_script(await api.run(live["run"]))


def _register_browser(app: Dash) -> None:
    """Opening and closing the editor, its preview, and the draft that outlives the page."""
    texts = [State("notes-text", "value"), State("notes-newest", "data"), State("notes-base", "data")]
    editor = [Output("notes-mode", "data"), Output("notes-text", "value"), Output("notes-base", "data")]
    asked = [Input(name, "n_clicks") for name in ("notes-edit", "notes-cancel", "notes-join")]
    app.clientside_callback(
        ClientsideFunction("trainvitals", "notesAct"), *editor, *asked, *texts, prevent_initial_call=True
    )
    app.clientside_callback(
        ClientsideFunction("trainvitals", "notesMode"),
        *(Output(name, "hidden") for name in ("notes-read", "notes-write", "notes-edit")),
        Input("notes-mode", "data"),
        State("notes-newest", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("trainvitals", "notesPreview"),
        Output("notes-preview", "children"),
        Input("notes-text", "value"),
        State("notes-mode", "data"),
        State("notes-base", "data"),
    )
