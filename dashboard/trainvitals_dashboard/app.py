"""Mounts the dashboard on the server's application: one Dash app, its pages, its bundles."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

import dash
from dash import ClientsideFunction, Dash, Input, Output, State
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from trainvitals_dashboard import theme, words
from trainvitals_dashboard.api import Api, ApiError
from trainvitals_dashboard.index import Index
from trainvitals_dashboard.pages import (
    compare,
    not_found,
    rule,
    run,
    run_findings,
    run_inside,
    run_layer,
    run_layers,
    run_metrics,
    run_notes,
    run_page,
    run_settings,
    run_system,
    runs,
)
from trainvitals_dashboard.parts.header import shell
from trainvitals_dashboard.static import ASSETS, bundles, own

META: Final = [
    {"name": "viewport", "content": "width=device-width, initial-scale=1"},
    {"name": "description", "content": "Watch neural networks train from the inside"},
]
log = logging.getLogger(__name__)


def mount(api: FastAPI, *, token: str | None) -> Callable[[], Awaitable[None]]:
    """Put the dashboard at "/" of ``api``; its routes must all be there already.

    The answer is to be awaited once in each worker, at the start of its lifespan. One dashboard per process: Dash keeps
    its pages in globals, and they are emptied here.
    """
    questions = Api(api, token=token)
    made: list[Dash] = []
    api.include_router(bundles(lambda: made[0]))
    api.add_middleware(LogDashErrors)
    dash.page_registry.clear()
    _lead_on(api)
    dash_app = _dash_on(api)
    made.append(dash_app)
    _register(dash_app, questions)
    _close_off(api)

    async def set_up() -> None:
        # Dash would do this in the first request to "/": until then deep links lack their scripts
        for function in dash_app.backend._before_request_funcs:
            result = function()
            if inspect.isawaitable(result):
                await result

    return set_up


class LogDashErrors:
    """Logs what Dash's own middleware would turn into a bare 500."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        try:
            await self.app(scope, receive, send)
        except dash.exceptions.PreventUpdate:
            raise
        except Exception:
            log.exception("the page could not answer %s", scope.get("path"))
            raise


def _dash_on(api: FastAPI) -> Dash:
    app = Index(
        "trainvitals_dashboard",
        backend="fastapi",
        server=api,
        use_async=True,
        use_pages=True,
        pages_folder="",
        assets_folder=str(ASSETS),  # fonts and icons
        include_assets_files=False,
        external_scripts=[own("js")[0]],
        external_stylesheets=[own("css")[0]],
        title="trainvitals",
        update_title=None,
        suppress_callback_exceptions=True,
        meta_tags=META,
        on_error=_say,
        websocket_inactivity_timeout=0,
    )
    head = (
        f"{{%css%}}<style>{theme.css()}</style><script>{theme.script()};window.tvLost={json.dumps(words.LOST)}</script>"
    )
    app.index_string = app.index_string.replace("{%css%}", head).replace("<html>", '<html lang="en">')
    return app


def _register(app: Dash, questions: Api) -> None:
    runs.register(app, questions)
    for page in (
        run,
        run_findings,
        run_layers,
        run_layer,
        run_inside,
        run_metrics,
        run_settings,
        run_system,
        run_notes,
    ):
        page.register(app, questions)
    run_page.register_top(app, questions)
    compare.register(app, questions)
    rule.register(app, questions)
    not_found.register()
    app.layout = shell
    app.clientside_callback(
        ClientsideFunction("trainvitals", "follow"), Output("live-run", "storage_type"), Input("live-run", "data")
    )
    app.clientside_callback(
        ClientsideFunction("trainvitals", "burger"),
        Output("shell", "navbar"),
        Input("burger", "opened"),
        State("shell", "navbar"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("trainvitals", "closed"),
        Output("live-run", "storage_type", allow_duplicate=True),
        Input("drawer", "opened"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("trainvitals", "place"),
        Output("url", "hash"),
        Output("drawer", "opened", allow_duplicate=True),
        Input("url", "pathname"),
        prevent_initial_call="initial_duplicate",
    )
    app.clientside_callback(
        ClientsideFunction("trainvitals", "heatStat"),
        Output("heat-stat", "size"),
        Input("heat-stat", "value"),
        prevent_initial_call=True,
    )


def _say(error: Exception) -> Any:  # Any: Dash takes what a callback would return
    if isinstance(error, ApiError):
        dash.set_props("banner", {"children": f"The server could not answer: {error}"})
        return dash.no_update
    log.error("a callback failed", exc_info=error)
    return dash.no_update


def _lead_on(api: FastAPI) -> None:
    """Links to the page that compares runs by its first name go on working."""

    @api.get("/overlay", include_in_schema=False)
    async def moved(request: Request) -> RedirectResponse:
        return RedirectResponse(f"/compare?{request.url.query}".rstrip("?"), HTTPStatus.PERMANENT_REDIRECT)


def _close_off(api: FastAPI) -> None:
    """Dash answers every unknown path with a page and 200; its own paths that do not exist are 404."""

    @api.get("/_dash-{rest:path}", include_in_schema=False)
    async def nothing_here(rest: str) -> None:
        raise HTTPException(404, f"no such endpoint: {rest}")
