"""How the table of runs is looked at, as the page's address has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

SETTING: Final = "setting:"
METRIC: Final = "metric:"
OWN: Final = {  # column → what it is called; those that the table has by itself
    "name": "Run",
    "status": "Status",
    "health": "Health",
    "findings": "Findings",
    "loss": "Loss",
    "spark": "Loss over time",
    "step": "Step",
    "tags": "Tags",
    "memo": "Memo",
    "created": "Started",
}
SORTED: Final = frozenset(OWN) - {"spark", "tags", "memo"}
NEWEST: Final = "-created"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsLook:
    """``text``: what is searched for; ``added``: columns beyond the table's own ("setting:lr", "metric:val/loss");
    ``hidden``: of its own ones; ``sort``: a column, with a minus in front where the largest comes first."""

    text: str = ""
    added: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()
    sort: str = NEWEST

    @classmethod
    def of(cls, query: Mapping[str, str]) -> RunsLook:
        """What an address says; what it cannot say is left out."""
        names = [unquote(name) for name in query.get("columns", "").split(",")]
        sort = query.get("sort", NEWEST)
        by = sort.removeprefix("-")
        hidden = {name[1:] for name in names if name.startswith("-") and name[1:] in OWN}
        return cls(
            text=query.get("text", ""),
            added=tuple(dict.fromkeys(name for name in (*names, by) if is_added(name))),  # what is sorted by is shown
            hidden=frozenset(hidden - {"name", by}),
            sort=sort if is_sorted(by) else NEWEST,
        )

    @property
    def settings(self) -> list[str]:
        """Names of the settings that are shown."""
        return [name.removeprefix(SETTING) for name in self.added if name.startswith(SETTING)]

    @property
    def sort_by(self) -> str:
        """The column."""
        return self.sort.removeprefix("-")

    @property
    def descending(self) -> bool:
        """Whether the largest comes first."""
        return self.sort.startswith("-")


def is_added(name: str) -> bool:
    """Whether it is a column of a setting or a metric."""
    return any(name.startswith(kind) and name != kind for kind in (SETTING, METRIC))


def is_sorted(name: str) -> bool:
    """Whether rows can be sorted by it."""
    return name in SORTED or is_added(name)
