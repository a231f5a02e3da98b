"""What may be chosen about watching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """The keywords of ``Run.watch``, where they are explained."""

    every: int | None = None
    budget: float | None = None
    dense: int | None = None
    include: Sequence[str] = ("*",)
    exclude: Sequence[str] = ()
    attention: bool = False
