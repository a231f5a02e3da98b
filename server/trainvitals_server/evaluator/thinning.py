"""Items by step, the past thinned evenly, bounded whatever comes."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Generic, TypeVar

T = TypeVar("T")


class Thinned(Generic[T]):
    """Items by step: the newest ``newest`` whole, of older ones the ``first`` and every 2^k-th, at most ``past``."""

    def __init__(self, *, newest: int, past: int, first: int = 0) -> None:
        self._newest, self._past, self._first = newest, past, first
        self._items: dict[int, T] = {}
        self._recent: list[int] = []  # steps, ascending
        self._old: list[int] = []
        self._seen_old = 0
        self._every = 1

    def add(self, step: int, item: T) -> None:
        """Keep an item; one at a known step takes its place."""
        is_known = step in self._items
        self._items[step] = item
        if is_known:
            return
        insort(self._recent, step)
        if len(self._recent) > self._newest:
            self._age(self._recent.pop(0))

    def _age(self, step: int) -> None:
        if self._seen_old < self._first or self._seen_old % self._every == 0:
            insort(self._old, step)
        else:
            del self._items[step]
        self._seen_old += 1
        if len(self._old) > self._past:
            self._every *= 2
            for gone in self._old[self._first + 1 :: 2]:
                del self._items[gone]
            self._old = self._old[: self._first] + self._old[self._first :: 2]

    def get(self, step: int) -> T | None:
        """The item at a step, if it is kept."""
        return self._items.get(step)

    def forget_from(self, step: int) -> None:
        """Forget items at ``step`` and after."""
        self._recent = self._recent[: bisect_left(self._recent, step)]
        self._old = self._old[: bisect_left(self._old, step)]
        self._items = {at: item for at, item in self._items.items() if at < step}

    def forget_before(self, step: int) -> None:
        """Forget items before ``step``."""
        self._recent = self._recent[bisect_left(self._recent, step) :]
        self._old = self._old[bisect_left(self._old, step) :]
        self._items = {at: item for at, item in self._items.items() if at >= step}

    def items(self) -> list[tuple[int, T]]:
        """Steps ascending, each with its item."""
        return [(step, self._items[step]) for step in self._steps()]

    def _steps(self) -> list[int]:
        """All of them, ascending; an old one that came late may lie among the recent."""
        is_apart = not self._old or not self._recent or self._old[-1] < self._recent[0]
        return self._old + self._recent if is_apart else sorted(self._old + self._recent)

    def __len__(self) -> int:
        return len(self._items)
