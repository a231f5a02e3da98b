"""All cases: every module of the package ``cases`` lists its own as ``CASES``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from fnmatch import fnmatchcase

from clinic import cases
from clinic.case import Case


def catalogue(patterns: Sequence[str] = ()) -> list[Case]:
    """Cases whose names match one of the patterns (``vanishing_*``); all of them where there are none."""
    modules = [
        importlib.import_module(f"clinic.cases.{module.name}") for module in pkgutil.iter_modules(cases.__path__)
    ]
    found: list[Case] = [case for module in modules for case in module.CASES]
    names = [case.name for case in found]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"cases need names of their own: {sorted(twice)}"
    return [case for case in found if not patterns or any(fnmatchcase(case.name, pattern) for pattern in patterns)]
