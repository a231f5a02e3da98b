"""The rules' pages, as they lie beside the rules."""

from __future__ import annotations

from importlib import resources
from typing import Final

import msgspec

PACKAGE: Final = "trainvitals_server.diagnosis.rules"
SUFFIX: Final = ".md"


class RuleTitle(msgspec.Struct, frozen=True, kw_only=True):
    """A rule and what its page is called."""

    name: str
    title: str


def rule_titles() -> list[RuleTitle]:
    """All rules, by name."""
    return [RuleTitle(name=name, title=_title(page) or name) for name, page in sorted(_pages().items())]


def rule_page(name: str) -> str | None:
    """A rule's page as Markdown; None if there is no such rule."""
    return _pages().get(_canonical(name))


def _pages() -> dict[str, str]:
    files = [file for file in resources.files(PACKAGE).iterdir() if file.name.endswith(SUFFIX)]
    return {_canonical(file.name.removesuffix(SUFFIX)): file.read_text("utf-8") for file in files}


def _canonical(name: str) -> str:
    return name.replace("-", "_")


def _title(page: str) -> str:
    return page.partition("\n")[0].lstrip("# ").strip()
