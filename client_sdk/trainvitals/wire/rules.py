"""What a project says of the rules by which its runs are judged."""

from __future__ import annotations

from typing import Any

import msgspec

from trainvitals.wire.checklist import StageName


class RuleOption(msgspec.Struct, frozen=True, kw_only=True):
    """An option of a rule: what it is by default, and in a project."""

    name: str
    default: Any  # Any: a number, a word, yes or no
    value: Any


class ProjectRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as a project has it. ``checks``: what, in a sentence; ``stage``: of the checklist, to which it belongs;
    ``package``: the distribution that brings it."""

    name: str
    title: str
    checks: str = ""
    stage: StageName = "check the inside"
    package: str = "trainvitals"
    muted: bool = False
    options: list[RuleOption] = []


class RuleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All that a project says of its rules since ``at`` (Unix seconds): rules that are muted, and of other rules the
    options that are not to be their defaults (rule → option → value). Version 0 is what nobody has set."""

    version: int = 0
    at: float = 0.0
    by: str = ""
    comment: str = ""
    muted: list[str] = []
    options: dict[str, dict[str, Any]] = {}  # Any: as in RuleOption


class RuleChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a project is to say of its rules from now on, in place of all that it said.
    ``PUT /api/v1/projects/{project}/rules``. ``after``: the version that was read before; refused where there is a
    newer one."""

    muted: list[str] = []
    options: dict[str, dict[str, Any]] = {}  # Any: as in RuleOption
    by: str = "somebody"
    comment: str = ""
    after: int | None = None


class ProjectRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of a project, by name, what it says of them now, and what it said, the newest first."""

    project: str
    settings: RuleSettings = RuleSettings()
    rules: list[ProjectRule] = []
    history: list[RuleSettings] = []
