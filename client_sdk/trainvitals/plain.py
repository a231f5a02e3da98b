"""Settings of people as values that every wire and database can hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

MAX_DEPTH: Final = 16
MAX_ITEMS: Final = 10_000


def plain(value: Any, *, depth: int = MAX_DEPTH) -> Any:  # Any: settings are the user's own
    """The value in dicts, lists, numbers, booleans and text; what is none of these, as its text. Never raises."""
    try:
        return _plain(value, depth)
    except Exception as error:  # noqa: BLE001  # whatever a stranger's __str__ or __iter__ does
        return f"<{type(value).__name__}: {type(error).__name__}>"


def text(value: object) -> str:
    """Text without lone surrogates, which UTF-8 cannot hold."""
    return str(value).encode("utf-8", "backslashreplace").decode()


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
