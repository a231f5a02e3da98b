"""The rules there are: every module of the package ``rules``, its page beside it."""

from __future__ import annotations

import functools
import importlib
import importlib.resources
import pkgutil
from typing import cast

from trainvitals_server.diagnosis import rules as package
from trainvitals_server.diagnosis.symptom import Rule


class RuleNotFound(LookupError):
    """There is no rule of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no rule {name!r}: there are {', '.join(rules())}")
        self.name = name


@functools.cache
def _found() -> dict[str, Rule]:
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    modules = {name: importlib.import_module(f"{package.__name__}.{name}") for name in names}
    return {name: cast(Rule, getattr(module, name)) for name, module in modules.items()}


def rules() -> dict[str, Rule]:
    """Rule by name."""
    return dict(_found())


def page(name: str) -> str:
    """The rule's page, as Markdown. Raises RuleNotFound."""
    if name not in _found():
        raise RuleNotFound(name)
    return importlib.resources.files(package).joinpath(f"{name}.md").read_text(encoding="utf-8")


def title(name: str) -> str:
    """What the rule is called for people: the page's first heading."""
    return page(name).splitlines()[0].removeprefix("# ").strip()
