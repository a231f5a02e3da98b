"""A project's rules, as people read and set them in a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from trainvitals.wire import coding
from trainvitals.wire.rules import ProjectRule, ProjectRules, RuleChange, RuleSettings
from trainvitals_server.cli.asking import Server
from trainvitals_server.diagnosis.options import Options


class NotUnderstood(ValueError):
    """What was typed means nothing; the text says what would."""


def read_options(words: Iterable[str]) -> Options:
    """``rule.option=value`` each; the value is JSON, else a word. Raises NotUnderstood."""
    found: Options = {}
    for word in words:
        place, is_set, value = word.partition("=")
        rule, option = _place(place)
        if not is_set:
            raise NotUnderstood(f"{word!r} sets nothing: write rule.option=value")
        found.setdefault(rule, {})[option] = _value(value)
    return found


def said(
    known: ProjectRules,
    *,
    mute: Sequence[str] = (),
    unmute: Sequence[str] = (),
    set_: Sequence[str] = (),
    unset: Sequence[str] = (),
    restore: int | None = None,
) -> RuleChange | None:
    """What a project says of its rules, or said in the version ``restore``, and then this; None where nothing is said.
    ``unset``: ``rule.option`` each, which are to be their defaults again. Raises NotUnderstood."""
    if restore is None and not (mute or unmute or set_ or unset):
        return None
    settings = known.settings if restore is None else _version(known, restore)
    muted = ({*settings.muted} | {*map(_named, mute)}) - {*map(_named, unmute)}
    options = {rule: dict(values) for rule, values in settings.options.items()}
    for rule, values in read_options(set_).items():
        options.setdefault(rule, {}).update(values)
    for word in unset:
        rule, option = _place(word)
        if option not in options.get(rule, {}):
            raise NotUnderstood(f"{word} is not set: it is what it is by default")
        del options[rule][option]
    options = {rule: values for rule, values in options.items() if values}
    return RuleChange(muted=sorted(muted), options=options, after=known.settings.version)


def _version(known: ProjectRules, version: int) -> RuleSettings:
    """In version 0 nothing is said."""
    versions = {settings.version: settings for settings in (RuleSettings(), *known.history)}
    if version not in versions:
        raise NotUnderstood(f"project {known.project!r} has no version {version} of its rules: see --history")
    return versions[version]


def ask_rules(server: Server, project: str) -> ProjectRules:
    """As the server has them. Raises NoAnswer."""
    return server.ask(_path(project), ProjectRules)


def put_rules(server: Server, project: str, said: RuleChange) -> ProjectRules:
    """Set them; as the server has them then. Raises NoAnswer."""
    return server.ask(_path(project), ProjectRules, put=said)


def as_json(rules: ProjectRules) -> str:
    """For programs: as the API has them."""
    return msgspec.json.format(coding.encode(rules, media_type=coding.JSON)).decode()


def as_text(rules: ProjectRules, *, history: bool = False, set_only: bool = False) -> str:
    """For people: each rule with its options, marked where the project says something of it, or these alone
    (``set_only``); or what it said."""
    if history:
        return "\n".join(_lines_of(rules.history)) or f"Nobody has set rules of project {rules.project}."
    shown = [rule for rule in rules.rules if _mark(rule) or not set_only]
    width = max((len(rule.name) for rule in shown), default=0)
    said = f"set {_when(rules.settings)}" if rules.settings.version else "all as they are by default"
    head = f"Rules of project {rules.project}, {said}:"
    if set_only and len(shown) < len(rules.rules):
        shown_not = len(rules.rules) - len(shown)
        return "\n".join(
            [head, *(_line(one, width) for one in shown), f"The other {shown_not} are as they are by default."]
        )
    return "\n".join([head, *(_line(one, width) for one in shown)])


def _lines_of(history: Sequence[RuleSettings]) -> Iterator[str]:
    for settings in history:
        yield f"version {settings.version}, {_when(settings)}" + (f": {settings.comment}" if settings.comment else "")
        for rule in settings.muted:
            yield f"  muted {rule}"
        for rule, values in sorted(settings.options.items()):
            yield from (f"  {rule}.{option}={_shown(value)}" for option, value in values.items())
        if not settings.muted and not settings.options:
            yield "  all as they are by default"


def _when(settings: RuleSettings) -> str:
    return f"by {settings.by} on {time.strftime('%Y-%m-%d %H:%M', time.localtime(settings.at))}"


def _line(rule: ProjectRule, width: int) -> str:
    options = [
        f"{one.name}={_shown(one.value)}" + (f" (default {_shown(one.default)})" if one.value != one.default else "")
        for one in rule.options
    ]
    return f"{_mark(rule):5}  {rule.name:{width}}  {' '.join(options)}".rstrip()


def _mark(rule: ProjectRule) -> str:
    is_set = any(one.value != one.default for one in rule.options)
    return "muted" if rule.muted else "set" if is_set else ""


def _shown(value: Any) -> str:  # Any: an option of any kind
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _value(text: str) -> Any:  # Any: whatever JSON can say
    try:
        return msgspec.json.decode(text.encode())
    except msgspec.DecodeError:
        return {"True": True, "False": False}.get(text, text)


def _place(word: str) -> tuple[str, str]:
    rule, has_option, option = word.partition(".")
    if not (rule and has_option and option):
        raise NotUnderstood(f"{word!r} names no option: write rule.option")
    return _named(rule), option


def _named(rule: str) -> str:
    return rule.replace("-", "_")


def _path(project: str) -> str:
    return f"/api/v1/projects/{quote(project, safe='')}/rules"
