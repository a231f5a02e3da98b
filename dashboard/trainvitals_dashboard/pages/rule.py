"""/rules (of a project: ?project=…) and /rules/<name>: what the rules look for, why, and what to do."""

from __future__ import annotations

import dash
from dash import dcc, html

from trainvitals_dashboard.api import Api
from trainvitals_dashboard.parts.page import page, plainly
from trainvitals_dashboard.parts.project_rules import project_card, rule_list, title


def register(api: Api) -> None:
    """Both pages."""

    @plainly
    async def index(project: str = "", **_: str) -> html.Div:
        told = await api.rules(project)
        if not project:
            return page([title("Rules", str(len(told.rules))), rule_list(told.rules)])
        return page([title("Rules", f"of project {project}"), project_card(told), rule_list(told.rules)])

    @plainly
    async def layout(name: str = "", **_: str) -> html.Div:
        text = dcc.Markdown(await api.rule_page(name), className="tv-prose")
        return page([html.Article(text, className="tv-card tv-article")], crumbs=("rules", name))

    dash.register_page("trainvitals.rules", path="/rules", layout=index, title="Rules · trainvitals")
    dash.register_page(
        "trainvitals.rule", path_template="/rules/<name>", layout=layout, title=lambda name="": f"{name} · trainvitals"
    )
