"""/rules (of a project: ?project=…) and /rules/<name>: what the rules look for, why, and what to do."""

from __future__ import annotations

import dash
from dash import ClientsideFunction, Dash, Input, Output, dcc, html

from trainvitals_dashboard.api import Api
from trainvitals_dashboard.parts.page import page, plainly
from trainvitals_dashboard.parts.project_rules import project_card, rule_list, rules_head


def register(app: Dash, api: Api) -> None:
    """Both pages; what is searched for is in the address."""

    @plainly
    async def index(project: str = "", text: str = "", **_: str) -> html.Div:
        told = await api.rules(project)
        said = [project_card(told)] if project else []
        return page([rules_head(told, text=text), *said, rule_list(told.rules)])

    @plainly
    async def layout(name: str = "", **_: str) -> html.Div:
        text = dcc.Markdown(await api.rule_page(name), className="tv-prose")
        return page([html.Article(text, className="tv-card tv-article")], crumbs=("rules", name))

    app.clientside_callback(
        ClientsideFunction("trainvitals", "rules"), Output("rules-count", "children"), Input("rules-text", "value")
    )
    dash.register_page("trainvitals.rules", path="/rules", layout=index, title="Rules · trainvitals")
    dash.register_page(
        "trainvitals.rule",
        path_template="/rules/<name>",
        layout=layout,
        title=lambda name="": f"{name} · Rules · trainvitals",
    )
