"""What people do with the table of runs, and what else the server tells of it."""

from __future__ import annotations

import msgspec


class RunsChange(msgspec.Struct, frozen=True, kw_only=True):
    """What people say of several runs. ``PATCH /api/v1/runs``. ``tag`` and ``untag``: tags that are added and taken
    away; ``memo`` replaces what was written before. ``deleted`` runs are in the bin, from which false takes them back,
    and are gone for good a minute later; one that still trains, when it has ended. None changes nothing."""

    run_ids: list[str]
    tag: list[str] = []
    untag: list[str] = []
    memo: str | None = None
    archived: bool | None = None
    deleted: bool | None = None


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A setting or a metric that the table may show, and how many of the runs have it."""

    name: str
    runs: int


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """What runs have that may be shown: what most of them have comes first."""

    settings: list[Column] = []
    metrics: list[Column] = []
    tags: list[Column] = []


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Runs that have the same value of what they are grouped by; None: they have none. ``term``: what to search for to
    see them alone. ``low``, ``median`` and ``high``: of the finite last values of a metric, which ``valued`` of the
    runs have; ``lowest`` and ``highest``: the ids of the runs that have the first and the last of these."""

    value: str | None
    term: str
    runs: int
    running: int = 0
    valued: int = 0
    low: float | None = None
    median: float | None = None
    high: float | None = None
    lowest: str | None = None
    highest: str | None = None


class Groups(msgspec.Struct, frozen=True, kw_only=True):
    """Groups by value, numbers first; at most 500 of ``total``."""

    by: str
    metric: str
    groups: list[Group]
    total: int


class View(msgspec.Struct, frozen=True, kw_only=True):
    """How somebody looked at the table, under a name and for all: the query of the page's address."""

    name: str
    query: str
    at: float = 0.0


class Views(msgspec.Struct, frozen=True, kw_only=True):
    """By name."""

    views: list[View]
