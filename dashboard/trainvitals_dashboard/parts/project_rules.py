"""Rules in a list, and what a project says of them: what is muted or set, by whom and when, and what it said before."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import dash_mantine_components as dmc
from dash import dcc, html

from trainvitals.wire.checklist import STAGE_NAMES
from trainvitals.wire.rules import ProjectRule, ProjectRules, RuleSettings
from trainvitals_dashboard import words
from trainvitals_dashboard.parts.cards import Piece, card
from trainvitals_dashboard.parts.icons import icon

OURS: Final = "trainvitals"


def rules_head(told: ProjectRules, *, text: str) -> html.Div:
    """The page's head; ``text`` is what is searched for."""
    search = dmc.TextInput(
        id="rules-text", value=text, placeholder="Search rules", size="xs", w=240, **{"aria-label": "Search rules"}
    )
    of_project = [html.Span(f"of project {told.project}", className="tv-sub")] if told.project else []
    count = html.Span(str(len(told.rules)), id="rules-count", className="tv-sub", role="status")
    title = html.Div([html.H1("Rules", className="tv-h1"), *of_project, count], className="tv-title")
    return html.Div([title, search], className="tv-runhead tv-runhead-runs tv-rules-head")


def rule_list(rules: Sequence[ProjectRule]) -> html.Div:
    """Stage by stage, each with what it checks and the way to its page; before all those that are muted or set."""
    marked = [rule for rule in rules if _is_said(rule)]
    of_stages = {stage: [rule for rule in rules if rule.stage == stage and rule not in marked] for stage in STAGE_NAMES}
    groups = {"Muted or set": marked, **{stage.capitalize(): found for stage, found in of_stages.items()}}
    none = html.P("No rule says so.", id="rules-none", className="tv-none", hidden=True)
    return html.Div([*(_group(name, found) for name, found in groups.items() if found), none], className="tv-rulebook")


def _group(name: str, rules: Sequence[ProjectRule]) -> html.Section:
    head = html.H2([name, html.Span(str(len(rules)), className="tv-dim")], className="tv-h2")
    return html.Section([head, html.Ul([html.Li(_link(rule)) for rule in rules], className="tv-card tv-rules")])


def _link(rule: ProjectRule) -> dcc.Link:
    what = [html.B(rule.title), html.Span(rule.checks, className="tv-rule-checks"), html.Code(rule.name)]
    return dcc.Link(
        [html.Span(what), html.Span([*_marks(rule), icon("arrow-right", 16)], className="tv-rule-end")],
        href=f"/rules/{rule.name}",
    )


def project_card(told: ProjectRules) -> html.Section:
    """What holds now, and the versions before it, the newest first."""
    how = html.Div(["To change it: ", html.Code(f"trainvitals rules --project {told.project} --mute RULE")])
    if not told.history:
        body: list[Piece] = [html.Div("Nobody has muted a rule, or set an option."), how]
        return card("Mutes and options", html.Div(body, className="tv-says"), name="tv-project-rules")
    now, *before = told.history
    body = [*_said(now), how]
    if before:
        versions = [html.Li([_when(one), *_said(one)]) for one in before]
        body.append(
            html.Details(
                [html.Summary(f"{len(before)} earlier"), html.Ol(versions, className="tv-history")],
                className="tv-details",
            )
        )
    return card("Mutes and options", html.Div(body, className="tv-says"), sub=_when(now), name="tv-project-rules")


def _is_set(rule: ProjectRule) -> bool:
    return any(option.value != option.default for option in rule.options)


def _is_said(rule: ProjectRule) -> bool:
    """Whether the project says anything of it."""
    return rule.muted or _is_set(rule)


def _marks(rule: ProjectRule) -> list[Piece]:
    marks = [*(["muted"] if rule.muted else []), *(["set"] if _is_set(rule) else [])]
    marks += [rule.package] if rule.package != OURS else []
    return [html.Span(mark, className="tv-tag") for mark in marks]


def _said(settings: RuleSettings) -> list[Piece]:
    lines = [f"{rule} is muted" for rule in settings.muted]
    for rule, options in sorted(settings.options.items()):
        lines += [f"{rule}.{option} = {value}" for option, value in options.items()]
    said: list[Piece] = [html.P(settings.comment, className="tv-p")] if settings.comment else []
    return [*said, html.Ul([html.Li(html.Code(line)) for line in lines or ["all as they are by default"]])]


def _when(settings: RuleSettings) -> html.Span:
    ago = words.duration(max(0.0, time.time() - settings.at))
    return html.Span(f"version {settings.version}, by {settings.by}, {ago} ago", className="tv-dim")
