"""Where in the code an optimizer is made: a place to open in an editor."""

from __future__ import annotations

import ast
import functools
import os
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final
from weakref import WeakKeyDictionary

from torch.optim import Optimizer

MOST_FRAMES: Final = 50
MOST_BYTES: Final = 1024 * 1024  # of a file: it is read in the training's thread
MODULE: Final = 0  # stands for the first line of what is in no function
_FOLDERS: Final = tuple(
    f"{folder}{os.sep}"
    for folder in (*{sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}, Path(__file__).parents[1])
)
_INSTALLED: Final = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))
_known: WeakKeyDictionary[Optimizer, str | None] = WeakKeyDictionary()


def made_in(optimizer: Optimizer) -> str | None:
    """ "file:line" of the call that makes it, as far as it can be read: of the functions that are running, outwards,
    the first of the user's own that calls the optimizer's class; else the first file of theirs that does so in one
    place alone. None where it is not known, or there are several. Looked for once. No function's variables are looked
    at: that would keep them alive."""
    try:
        if optimizer not in _known:
            _known[optimizer] = _found(type(optimizer).__name__, sys._getframe(1))
        return _known[optimizer]
    except Exception:  # noqa: BLE001  # the border: files and frames are anybody's, and a line is worth no optimizer
        return None


def _found(kind: str, frame: FrameType | None) -> str | None:
    files: dict[str, None] = {}
    for file, scope in _own(frame):
        files[file] = None
        if lines := [line for begins, called, line in _calls(file) if (begins, called) == (scope, kind)]:
            return f"{file}:{lines[0]}" if len(lines) == 1 else None
    for file in files:
        if len(lines := [line for _, called, line in _calls(file) if called == kind]) == 1:
            return f"{file}:{lines[0]}"
    return None


def _own(frame: FrameType | None) -> Iterator[tuple[str, int]]:
    """The files of the functions that are running, and where these begin; what is installed is left out."""
    for _ in range(MOST_FRAMES):
        if frame is None:
            return
        code, frame = frame.f_code, frame.f_back
        file = os.path.abspath(code.co_filename)
        if not file.startswith(_FOLDERS) and not any(part in file for part in _INSTALLED):
            yield file, MODULE if code.co_name == "<module>" else code.co_firstlineno


def _calls(file: str) -> tuple[tuple[int, str, int], ...]:
    """Where the function begins, what it calls, and in which line; nothing of what is no file, or a large one."""
    try:
        known = os.stat(file)
    except OSError:
        return ()
    return _read(file, known.st_mtime_ns, known.st_size) if known.st_size <= MOST_BYTES else ()


@functools.lru_cache(maxsize=16)
def _read(file: str, _changed_at: int, _size: int) -> tuple[tuple[int, str, int], ...]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the user's code, which told of them when it was imported
            tree = ast.parse(Path(file).read_bytes())
        return tuple(_within(tree, MODULE))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return ()


def _within(node: ast.AST, scope: int) -> Iterator[tuple[int, str, int]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
            yield from _within(child, first)
            continue
        if isinstance(child, ast.Call) and isinstance(child.func, (ast.Name, ast.Attribute)):
            name = child.func.id if isinstance(child.func, ast.Name) else child.func.attr
            yield scope, name, child.lineno
        yield from _within(child, scope)
