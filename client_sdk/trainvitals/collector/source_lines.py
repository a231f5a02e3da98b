"""Where in the code a layer comes from: a place to open in an editor."""

from __future__ import annotations

import ast
import functools
import inspect
import os
import textwrap
from collections.abc import Mapping

from torch import nn


def source_of(name: str, modules: Mapping[str, nn.Module]) -> str | None:
    """ "file:line" of where a layer is made, as far as it can be read: the assignment in the nearest module around it
    whose class is not PyTorch's, else that class; for a layer with such a class and nothing around it, its own class.
    None where all is PyTorch's, or there is no such file. ``modules``: all by their names, "" the whole model."""
    parts = name.split(".") if name else []
    for depth in range(len(parts) - 1, -1, -1):
        around = modules.get(".".join(parts[:depth]))
        if around is not None and (found := _places_of(around)):
            return found.get(parts[depth], found[""])
    module = modules.get(name)
    return None if module is None else _places_of(module).get("")


def _places_of(module: nn.Module) -> dict[str, str]:
    return _places(type(module))  # type: ignore[arg-type]  # classes are hashable, whatever their instances are


@functools.lru_cache(maxsize=512)
def _places(kind: type) -> dict[str, str]:
    """Attribute → where it is first assigned; "" → where the class begins. Empty for PyTorch's own."""
    if kind.__module__.partition(".")[0] == "torch":
        return {}
    try:
        file = inspect.getsourcefile(kind)
        lines, first = inspect.getsourcelines(kind)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):  # made in a shell, or by other means than a file
        return {}
    if file is None or not os.path.isfile(file):
        return {}
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if (attribute := _assigned(node)) is not None:
            found.setdefault(attribute, f"{file}:{first + node.lineno - 1}")  # type: ignore[attr-defined]  # statements
    return {**found, "": f"{file}:{first}"}


def _assigned(node: ast.AST) -> str | None:
    """The attribute of self that a statement assigns, if it does."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    for target in targets:
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
            return target.attr
    return None
