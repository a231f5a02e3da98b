"""The checks there are: every module in ``checks``, by stage, then by name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from trainvitals.preflight import checks
from trainvitals.preflight.case import Case
from trainvitals.preflight.verdict import Verdict
from trainvitals.wire.preflight import STAGES, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check as its module declares it. ``share``: of the time that quick checks leave; 0 for those."""

    name: str
    stage: Stage
    share: float
    look: Callable[[Case], Verdict]


def all_checks() -> list[Check]:
    """In the order of the checklist."""
    found = [_check(module.name) for module in pkgutil.iter_modules(checks.__path__)]
    return sorted(found, key=lambda check: (STAGES.index(check.stage), check.name))


def _check(name: str) -> Check:
    module = importlib.import_module(f"{checks.__name__}.{name}")
    return Check(name=name, stage=module.STAGE, share=getattr(module, "SHARE", 0.0), look=getattr(module, name))
