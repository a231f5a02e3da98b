"""Where in the code a layer comes from: a place to open in an editor."""

from __future__ import annotations

import ast
import functools
import inspect
import os
import textwrap
from collections.abc import Iterator, Mapping

from torch import nn


def source_of(name: str, modules: Mapping[str, nn.Module]) -> str | None:
    """ "file:line" of where a layer is made, as far as it can be read: the assignment in the nearest module around it
    whose class is not PyTorch's, else that class; for a layer with such a class and nothing around it, its own class.
    None where all is PyTorch's, or there is no such file. ``modules``: all by their names, "" the whole model."""
    try:
        return _found(name, modules)
    except Exception:  # noqa: BLE001  # the border: classes and files are anybody's, and a line is worth no layer
        return None


def _found(name: str, modules: Mapping[str, nn.Module]) -> str | None:
    parts = name.split(".") if name else []
    for depth in range(len(parts) - 1, -1, -1):
        around = modules.get(".".join(parts[:depth]))
        if around is not None and (found := _places_of(around)):
            return found.get(parts[depth], found[""])
    module = modules.get(name)
    return None if module is None else _places_of(module).get("")


def _places_of(module: nn.Module) -> dict[str, str]:
    """Of its own class; FSDP and others put one of theirs before it."""
    for kind in type(module).__mro__:
        if kind.__module__.partition(".")[0] != "torch":
            return _places(kind) if kind is not object else {}
    return {}


@functools.lru_cache(maxsize=512)
def _places(kind: type) -> dict[str, str]:
    """Attribute → where it is first assigned, constants aside; "" → where the class begins."""
    file = inspect.getsourcefile(kind)
    if file is None or not os.path.isfile(file):
        return {}
    lines, first = inspect.getsourcelines(kind)
    assigned = sorted(_assigned(ast.parse(textwrap.dedent("".join(lines)))))
    found = {attribute: f"{file}:{first + line - 1}" for _, line, attribute in reversed(assigned)}
    return {**found, "": f"{file}:{first}"}


def _assigned(tree: ast.Module) -> Iterator[tuple[bool, int, str]]:
    """Attributes of self that statements assign: whether to a constant (None, mostly), in which line, and which."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for one in ast.walk(target):
                    if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "self":
                        yield isinstance(node.value, (ast.Constant, type(None))), one.lineno, one.attr
