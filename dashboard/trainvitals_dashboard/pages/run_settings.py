"""/runs/<run_id>/settings?text=: what a run was told, and where it came from."""

from __future__ import annotations

from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, html

from trainvitals.wire.answers import RunDetail
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.pages.absent import or_none
from trainvitals_dashboard.pages.run_page import register_tab
from trainvitals_dashboard.parts.cards import Piece, card
from trainvitals_dashboard.parts.config_card import config_card, no_fit, search_bar
from trainvitals_dashboard.parts.frozen import frozen
from trainvitals_dashboard.parts.optimizers_card import optimizers_card
from trainvitals_dashboard.parts.origin_cards import code_card, data_card, environment_cards, patch_card, rules_card

NOTHING_CHANGED = (
    "There is no healthy run of this project before it, of a model like its own, that it could be held against."
)


def register(app: Dash, api: Api) -> None:
    """The page and its callbacks."""

    async def body(detail: RunDetail, query: dict[str, str]) -> list[Piece]:
        right = [
            frozen("changes", None),  # drawn by pages/checklist.py
            card("What changed", html.Div(NOTHING_CHANGED, className="tv-none"), name="tv-nochange"),
            html.Div(await origins(api, detail), id="settings-origins", className="tv-col"),
        ]
        left = [
            html.Div(config_card(detail.config, detail.planned_steps), id="settings-config"),
            html.Div(optimizers_card(detail.optimizers), id="settings-optimizers"),
            html.Div(patch_card(detail)),
        ]
        columns = [html.Div(left, className="tv-col"), html.Div(right, className="tv-col")]
        return [search_bar(query.get("text", "")), no_fit(), html.Div(columns, className="tv-grid tv-settingspage")]

    register_tab(api, "settings", body)
    _register_live(app, api)
    app.clientside_callback(
        ClientsideFunction("trainvitals", "settingsFilter"),
        Output("settings-count", "children"),
        Input("settings-text", "value"),
        *(Input(name, "children") for name in ("settings-config", "settings-optimizers", "settings-origins")),
        Input("changes", "html"),
    )


async def origins(api: Api, detail: RunDetail) -> list[Piece]:
    """Code, data, environment, rules."""
    rules = await or_none(api.rules(detail.summary.project, versions=1))
    return [code_card(detail), data_card(detail), environment_cards(detail), rules_card(detail, rules)]


def _register_live(app: Dash, api: Api) -> None:
    @app.callback(
        Output("settings-config", "children"),
        Output("settings-origins", "children"),
        Input("live-notes", "data"),
        Input("live-reload", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_settings(_noted: Any, _reload: Any, live: dict[str, Any]) -> tuple[Piece, Piece]:
        detail = await api.run(live["run"])
        return config_card(detail.config, detail.planned_steps), await origins(api, detail)

    @app.callback(
        Output("settings-optimizers", "children"),
        Input("live-checklist", "data"),  # now and then: no update tells that an optimizer was declared
        Input("live-reload", "data"),
        State("live-run", "data"),
        prevent_initial_call=True,
    )
    async def redraw_optimizers(_then: Any, _reload: Any, live: dict[str, Any]) -> Piece:
        return optimizers_card((await api.run(live["run"])).optimizers)
