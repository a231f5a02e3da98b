"""The rules and their pages, and what a project says of them, as the API tells it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import msgspec

from trainvitals.wire.rules import ProjectRule, ProjectRules, RuleChange, RuleOption, RuleSettings
from trainvitals_server.diagnosis.catalogue import package_of, page, rules, title
from trainvitals_server.diagnosis.options import RuleNotFound, fitting, named, options_of


class RuleTitle(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, what its page is called, and the distribution that brings it."""

    name: str
    title: str
    package: str


def rule_titles() -> list[RuleTitle]:
    """All rules, by name."""
    return [RuleTitle(name=name, title=title(name) or name, package=package_of(name)) for name in sorted(rules())]


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
    return ProjectRule(
        name=name, title=title(name) or name, package=package_of(name), muted=name in muted, options=options
    )
