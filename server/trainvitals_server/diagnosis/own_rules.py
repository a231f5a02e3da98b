"""Rules of other packages, by the entry point ``trainvitals.rules``; what is broken is left out, with a word in the
log."""

from __future__ import annotations

import functools
import inspect
import logging
import re
import sys
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from trainvitals.wire import coding
from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.options import RuleUnfit, options_of
from trainvitals_server.diagnosis.reading import word
from trainvitals_server.diagnosis.symptom import Rule, Symptom
from trainvitals_server.diagnosis.window import Window

GROUP: Final = "trainvitals.rules"
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
OPTIONS: Final = re.compile(r"^## Options\s*$", flags=re.MULTILINE)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRule:
    """A rule that ``package`` brings, and its page, as Markdown."""

    judge: Rule
    package: str
    page: str


def own_rules(found: Iterable[EntryPoint], *, taken: Container[str] = ()) -> dict[str, OwnRule]:
    """Rule by name, which is its entry point's; none of a name that is ``taken``."""
    rules: dict[str, OwnRule] = {}
    for entry in sorted(found, key=lambda one: (one.name, one.value)):
        package = entry.dist.name if entry.dist is not None else entry.module
        try:
            if entry.name in taken or entry.name in rules:
                raise RuleUnfit("there is another rule of that name")
            rules[entry.name] = _loaded(entry, package)
        except RuleUnfit as error:
            log.warning("rule %s of %s is left out: %s", entry.name, package, error)
        except (Exception, SystemExit):  # the border: a stranger's module is run
            log.exception("rule %s of %s is left out: it cannot be loaded", entry.name, package)
    return rules


def _loaded(entry: EntryPoint, package: str) -> OwnRule:
    """Raises RuleUnfit, and whatever importing raises."""
    if not NAME.fullmatch(entry.name):
        raise RuleUnfit("a rule is called by small letters, digits and underscores")
    rule = entry.load()
    options = options_of(rule)
    return OwnRule(judge=_checked(entry.name, rule), package=package, page=_page(entry, rule, options))


def _checked(name: str, rule: Callable[..., Iterable[Symptom] | None]) -> Rule:
    """The rule, whose symptoms are looked at before anybody else sees them."""

    @functools.wraps(rule)
    def judge(window: Window, **options: Any) -> list[Symptom]:  # Any: options of any kind
        return [_fit(name, symptom) for symptom in rule(window, **options) or ()]

    return judge


def _fit(name: str, symptom: Symptom) -> Symptom:
    """The symptom in plain numbers, of the rule that speaks. Raises TypeError, ValueError for what is none."""
    if not isinstance(symptom, Symptom):
        raise TypeError(f"rule {name} returned {type(symptom).__name__} where a Symptom was expected")
    told = coding.decode(msgspec.msgpack.encode(replace(symptom, rule=name), enc_hook=_plain), Symptom)
    return replace(told, evidence=_worded(told.evidence))


def _plain(value: object) -> object:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"a symptom cannot hold {type(value).__name__}")


def _worded(evidence: Evidence) -> Evidence:
    """What is not finite as words, as evidence carries it."""
    numbers = {label: word(value) if isinstance(value, float) else value for label, value in evidence.numbers.items()}
    value = word(evidence.value) if isinstance(evidence.value, float) else evidence.value
    return msgspec.structs.replace(evidence, value=value, numbers=numbers)


def _page(entry: EntryPoint, rule: Callable[..., object], options: dict[str, Any]) -> str:
    """``<rule>.md`` beside its module, else what the function's docstring says; with its options, if it has none of
    them."""
    module = getattr(sys.modules[entry.module], "__file__", None)
    beside = Path(module).with_name(f"{entry.name}.md") if module else None
    if beside is not None and beside.is_file():
        text = beside.read_text(encoding="utf-8", errors="replace").strip()
    else:
        title = entry.name.replace("_", " ").capitalize()
        text = f"# {title}\n\n## What it checks\n{inspect.getdoc(rule) or 'Its package does not say.'}"
    if options and not OPTIONS.search(text):
        rows = [f"| `{name}` | `{default}` |" for name, default in options.items()]
        text = "\n".join([text, "", "## Options", "| option | default |", "|---|---|", *rows])
    return f"{text}\n"
