"""The rules there are: every module of the package ``rules``, its page beside it, and those of other packages."""

from __future__ import annotations

import functools
import importlib
import importlib.resources
import inspect
import pkgutil
from importlib.metadata import entry_points
from typing import Final, cast

from trainvitals_server.diagnosis import rules as package
from trainvitals_server.diagnosis.options import RuleNotFound
from trainvitals_server.diagnosis.own_rules import GROUP, OwnRule, own_rules
from trainvitals_server.diagnosis.symptom import Rule

OURS: Final = "trainvitals"


@functools.cache
def _built_in() -> dict[str, Rule]:
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    modules = {name: importlib.import_module(f"{package.__name__}.{name}") for name in names}
    return {name: cast(Rule, getattr(module, name)) for name, module in modules.items()}


@functools.cache
def _own() -> dict[str, OwnRule]:
    """Once for the process, which says once of each that is broken that it is."""
    return own_rules(entry_points(group=GROUP), taken=_built_in())


def rules() -> dict[str, Rule]:
    """Rule by name."""
    return _built_in() | {name: rule.judge for name, rule in _own().items()}


@functools.cache
def page(name: str) -> str:
    """The rule's page, as Markdown; of one of ours with the source that its docstring names. Raises RuleNotFound."""
    if name in _own():
        return _own()[name].page
    if name not in _built_in():
        raise RuleNotFound(name, rules())
    text = importlib.resources.files(package).joinpath(f"{name}.md").read_text(encoding="utf-8")
    return f"{text.rstrip()}\n\n## Source\n{_source(name)}\n"


def _source(name: str) -> str:
    """From the word "Source:" to the end of its paragraph. Raises ValueError for a rule without one."""
    _, _, said = (inspect.getdoc(_built_in()[name]) or "").partition("Source:")
    if not said:
        raise ValueError(f"rule {name} names no source in its docstring")
    told = " ".join(said.split("\n\n")[0].split()).replace("``", "`")
    return told[:1].upper() + told[1:]


def title(name: str) -> str:
    """What the rule is called for people: the page's first heading."""
    return page(name).splitlines()[0].removeprefix("# ").strip()


def package_of(name: str) -> str:
    """The distribution that brings the rule."""
    return _own()[name].package if name in _own() else OURS
