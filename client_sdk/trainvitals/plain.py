"""Settings of people as values that every wire and database can hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

MAX_DEPTH: Final = 16
MAX_ITEMS: Final = 10_000
MAX_TEXT: Final = 20_000
CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
MAX_NAME: Final = 512  # the server's limit for names of runs, projects, groups and tags


def plain(value: Any, *, depth: int = MAX_DEPTH) -> Any:  # Any: settings are the user's own
    """The value in dicts, lists, numbers, booleans and text; what is none of these, as its text. Never raises."""
    try:
        return _plain(value, depth)
    except Exception as error:  # noqa: BLE001  # whatever a stranger's __str__ or __iter__ does
        return f"<{type(value).__name__}: {type(error).__name__}>"


def text(value: object, *, longest: int = MAX_TEXT) -> str:
    """Text without lone surrogates, which UTF-8 cannot hold; what is longer than ``longest`` ends in "…"."""
    whole = str(value).encode("utf-8", "backslashreplace").decode()
    return whole if len(whole) <= longest else whole[: longest - 1] + "…"


def one_line(words: str) -> str:
    """Words without the control characters, by which what strangers wrote would speak to the terminal."""
    return CONTROLS.sub(" ", words).strip()


def title(value: object) -> str:
    """Text that names a run, a project, a group or a tag."""
    return text(value, longest=MAX_NAME)


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        number = int(value)
        return number if -(2**63) <= number < 2**63 else str(number)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str) or depth == 0:
        return text(value)
    if isinstance(value, Mapping):
        return {text(key): plain(item, depth=depth - 1) for key, item in _some(value.items())}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, depth=depth - 1) for item in _some(value)]
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):  # a scalar of NumPy or torch
        return plain(value.item(), depth=depth - 1)
    return text(value)


def _some(items: Iterable[Any]) -> list[Any]:
    return [item for _, item in zip(range(MAX_ITEMS), items, strict=False)]
