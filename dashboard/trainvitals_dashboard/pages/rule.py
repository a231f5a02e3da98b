"""/rules and /rules/<name>: what the rules look for, why, and what to do."""

from __future__ import annotations

import dash
from dash import dcc, html

from trainvitals_dashboard.api import Api
from trainvitals_dashboard.parts.icons import icon
from trainvitals_dashboard.parts.page import page, plainly


def register(api: Api) -> None:
    """Both pages."""

    @plainly
    async def index(**_: str) -> html.Div:
        rules = await api.rules()
        links = [
            html.Li(
                dcc.Link(
                    [
                        html.Span([html.B(rule.get("title", rule["name"])), html.Code(rule["name"])]),
                        icon("arrow-right", 16),
                    ],
                    href=f"/rules/{rule['name']}",
                )
            )
            for rule in rules
        ]
        head = html.Div([html.H1("Rules", className="tv-h1"), html.Span(f"{len(rules)}", className="tv-sub")])
        return page([html.Div(head.children, className="tv-title"), html.Ul(links, className="tv-card tv-rules")])

    @plainly
    async def layout(name: str = "", **_: str) -> html.Div:
        text = dcc.Markdown(await api.rule_page(name), className="tv-prose")
        return page([html.Article(text, className="tv-card tv-article")], crumbs=("rules", name))

    dash.register_page("trainvitals.rules", path="/rules", layout=index, title="Rules · trainvitals")
    dash.register_page(
        "trainvitals.rule", path_template="/rules/<name>", layout=layout, title=lambda name="": f"{name} · trainvitals"
    )
