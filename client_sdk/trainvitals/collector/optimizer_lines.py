"""Where in the code an optimizer is made: a place to open in an editor."""

from __future__ import annotations

import ast
import functools
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

from torch.optim import Optimizer

MOST_FRAMES: Final = 50
OURS: Final = str(Path(__file__).parents[1])
LIBRARIES: Final = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


def made_in(optimizer: Optimizer) -> str | None:
    """ "file:line" of the assignment that made it, as far as it can be read: of those who are calling, the nearest whose
    code is the user's own and assigns it to a variable, or to an attribute of ``self``. None where a library does."""
    try:
        return next(_assignments_of(optimizer, sys._getframe(1)), None)
    except Exception:  # noqa: BLE001  # the border: files and frames are anybody's, and a line is worth no optimizer
        return None


def _assignments_of(optimizer: Optimizer, frame: FrameType | None) -> Iterator[str]:
    for _ in range(MOST_FRAMES):
        if frame is None:
            return
        file = frame.f_code.co_filename
        if not file.startswith((OURS, *LIBRARIES)) and os.path.isfile(file):
            known = frame.f_locals
            own = getattr(known.get("self"), "__dict__", {})
            first = 1 if frame.f_code.co_name == "<module>" else frame.f_code.co_firstlineno
            lines = [
                line
                for name in [name for name, value in known.items() if value is optimizer]
                for line in _lines(file).get(name, [])
                if first <= line <= frame.f_lineno
            ]
            lines = lines or [
                line
                for name in [f"self.{name}" for name, value in own.items() if value is optimizer]
                for line in _lines(file).get(name, [])
            ]
            if lines:
                yield f"{os.path.abspath(file)}:{max(lines)}"
        frame = frame.f_back


@functools.lru_cache(maxsize=16)
def _lines(file: str) -> dict[str, list[int]]:
    """Variables, and attributes of self, with the lines in which they are assigned, constants aside."""
    found: dict[str, list[int]] = {}
    for node in ast.walk(ast.parse(Path(file).read_bytes())):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if not isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) or isinstance(node.value, ast.Constant):
            continue
        for one in (part for target in targets if target is not None for part in ast.walk(target)):
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
                found.setdefault(one.id, []).append(one.lineno)
            elif isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "self":
                found.setdefault(f"self.{one.attr}", []).append(one.lineno)
    return found
