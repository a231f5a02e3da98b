"""Options of rules, which are their keyword-only parameters, and what a project sets them to."""

from __future__ import annotations

import difflib
import inspect
import logging
import math
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final, get_type_hints

import msgspec

from trainvitals.wire import coding
from trainvitals_server.diagnosis.symptom import Rule

POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
NEAR, LIKE = 3, 0.75  # names that are told in place of all, where one was mistyped
log = logging.getLogger(__name__)

Options = dict[str, dict[str, Any]]  # rule → option → value; Any: a number, a word, yes or no


class RuleUnfit(ValueError):
    """What claims to be a rule cannot be one; the text says why."""


class RuleRefused(ValueError):
    """What is said of a rule cannot be kept; the text says why, and what there is."""

    kind = "rule-refused"


class RuleNotFound(RuleRefused):
    """There is no rule of that name."""

    kind = "unknown-rule"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        near = difflib.get_close_matches(name.replace("-", "_"), list(known), NEAR, LIKE)
        there = f"there is {' and '.join(near)}" if near else f"there are {', '.join(sorted(known))}"
        super().__init__(f"no rule {name!r}: {there}")
        self.name = name


class OptionNotFound(RuleRefused):
    """The rule has no such option."""

    kind = "unknown-option"

    def __init__(self, rule: str, option: str, known: Iterable[str]) -> None:
        names = ", ".join(known)
        super().__init__(f"rule {rule!r} has no option {option!r}: it has {names or 'none'}")
        self.rule, self.option = rule, option


class OptionRefused(RuleRefused):
    """The option cannot be set to that."""

    kind = "wrong-option"

    def __init__(self, rule: str, option: str, value: object, why: str, *, default: object) -> None:
        super().__init__(f"{rule}.{option} cannot be {value!r}: {why}; its default is {default!r}")
        self.rule, self.option = rule, option


def options_of(rule: Rule) -> dict[str, Any]:  # Any: as in Options
    """Name → default. Raises RuleUnfit for what takes anything else but the window, or what cannot be told."""
    found = {}
    try:
        parameters = list(inspect.signature(rule).parameters.values())
    except (TypeError, ValueError) as error:
        raise RuleUnfit(f"it is no function: {error}") from error
    needed = [one for one in parameters if one.kind in POSITIONAL and one.default is one.empty]
    if len(needed) != 1:
        raise RuleUnfit("a rule takes the window, and whatever else as keyword-only options")
    for one in parameters:
        if one.kind is not one.KEYWORD_ONLY:
            continue
        if one.default is one.empty:
            raise RuleUnfit(f"its option {one.name!r} has no default")
        try:
            coding.encode(one.default)
        except (TypeError, ValueError, NotImplementedError) as error:
            raise RuleUnfit(
                f"the default of its option {one.name!r} is neither a number nor a word: {error}"
            ) from error
        found[one.name] = one.default
    return found


def named(rule: str, known: Iterable[str]) -> str:
    """The rule's name as it is known; hyphens are as good as underscores. Raises RuleNotFound."""
    name = rule.replace("-", "_")
    if name not in known:
        raise RuleNotFound(rule, known)
    return name


def fitting(rules: Mapping[str, Rule], options: Mapping[str, Mapping[str, object]]) -> Options:
    """The options as the rules take them. Raises RuleNotFound, OptionNotFound, OptionRefused."""
    found: Options = {}
    for given, values in options.items():
        rule = named(given, rules)
        defaults, kinds = options_of(rules[rule]), _kinds(rules[rule])
        for option, value in values.items():
            if option not in defaults:
                raise OptionNotFound(rule, option, defaults)
            default = defaults[option]
            fit = _fit(rule, option, value, kinds.get(option, type(default)), default=default)
            found.setdefault(rule, {})[option] = fit
    return found


def configured(
    rules: Mapping[str, Rule], *, muted: Iterable[str] = (), options: Mapping[str, Mapping[str, object]]
) -> dict[str, Rule]:
    """The rules that are not muted, with the options that are set. What was kept for a rule, or an option, that is no
    more, or is another now, is passed over, and the log tells it."""
    found = {name: rule for name, rule in rules.items() if name not in set(muted)}
    for name, values in options.items():
        kept: dict[str, Any] = {}  # Any: as in Options
        for option, value in values.items():
            try:
                kept |= fitting(rules, {name: {option: value}})[name]
            except RuleRefused as error:
                log.warning("an option that was set is passed over: %s", error)
        if kept and name in found:
            found[name] = partial(rules[name], **kept)
    return found


def _kinds(rule: Rule) -> dict[str, Any]:  # Any: types
    try:
        return get_type_hints(rule)
    except Exception:  # noqa: BLE001  # a stranger's annotations need not be there when the program runs
        return {}


def _fit(rule: str, option: str, value: object, kind: Any, *, default: Any) -> Any:
    try:
        found = msgspec.convert(value, kind)
    except (msgspec.ValidationError, TypeError, OverflowError) as error:
        raise OptionRefused(rule, option, value, str(error), default=default) from error
    if not _is_number(found) or not _is_number(default):
        return found
    if not math.isfinite(found):
        raise OptionRefused(rule, option, value, "it must be a finite number", default=default)
    least = 1 if isinstance(default, int) else 0
    if default > 0 and found < least:
        raise OptionRefused(rule, option, value, f"it must be {least} or more", default=default)
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
