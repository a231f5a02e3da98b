"""The rules and their pages, and what a project says of them, as the API tells it."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from trainvitals.wire.checklist import StageName
from trainvitals.wire.messages import RunStart
from trainvitals.wire.rules import ProjectRule, ProjectRules, RuleChange, RuleOption, RuleSettings
from trainvitals_server.diagnosis.catalogue import package_of, page, rules, title
from trainvitals_server.diagnosis.checklist.stages import ELSEWHERE, RULES
from trainvitals_server.diagnosis.options import RuleNotFound, fitting, named, options_of


class RuleTitle(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, what its page is called, what it checks in a sentence, the stage of the checklist to which it belongs,
    and the distribution that brings it."""

    name: str
    title: str
    checks: str
    stage: StageName
    package: str


def rule_titles() -> list[RuleTitle]:
    """All rules, by name."""
    return [RuleTitle(name=name, **_described(name)) for name in sorted(rules())]


def rule_page(name: str) -> str | None:
    """A rule's page as Markdown; None if there is no such rule."""
    try:
        return page(named(name, rules()))
    except RuleNotFound:
        return None


def fit(change: RuleChange) -> RuleChange:
    """The change as rules can take it. Raises RuleNotFound, OptionNotFound, OptionRefused."""
    known = rules()
    muted = sorted({named(name, known) for name in change.muted})
    return msgspec.structs.replace(change, muted=muted, options=fitting(known, change.options))


def muting_known(start: RunStart) -> tuple[RunStart, list[str]]:
    """The start with the rules that it mutes by their names here, and a remark for each of which there is none: it
    stays muted, should another server know it."""
    known, muted, remarks = rules(), list[str](), list[str]()
    for rule in start.mute:
        try:
            muted.append(named(rule, known))
        except RuleNotFound:
            muted.append(rule)
            near = get_close_matches(rule, known, n=1)
            meant = f"did you mean {near[0]!r}?" if near else "`trainvitals rules --project PROJECT` lists them"
            remarks.append(f"mute: there is no rule {rule!r} on the server: {meant}")
    return msgspec.structs.replace(start, mute=muted), remarks


def told(project: str, history: list[RuleSettings]) -> ProjectRules:
    """The rules as a project has them; ``history``: what it said of them, the newest first."""
    settings = history[0] if history else RuleSettings()
    found = [_rule(name, settings.muted, settings.options.get(name, {})) for name in sorted(rules())]
    return ProjectRules(project=project, settings=settings, rules=found, history=history)


@functools.cache
def _defaults(name: str) -> tuple[tuple[str, Any], ...]:  # Any: options of any kind
    return tuple(options_of(rules()[name]).items())


def _rule(name: str, muted: list[str], values: Mapping[str, Any]) -> ProjectRule:  # Any: options of any kind
    options = [
        RuleOption(name=option, default=default, value=values.get(option, default))
        for option, default in _defaults(name)
    ]
    return ProjectRule(name=name, muted=name in muted, options=options, **_described(name))


def _described(name: str) -> dict[str, Any]:  # Any: of both kinds of rules above
    return {
        "title": title(name) or name,
        "checks": _checks(name),
        "stage": RULES.get(name, ELSEWHERE).stage,
        "package": package_of(name),
    }


@functools.cache
def _checks(name: str) -> str:
    """The first sentence of the first paragraph of its page."""
    lines = [line for line in page(name).splitlines() if not line.startswith("#")]
    first = next((part for part in "\n".join(lines).split("\n\n") if part.strip()), "")
    return re.split(r"(?<=[.?!]) ", " ".join(first.replace("`", "").split()), maxsplit=1)[0]
