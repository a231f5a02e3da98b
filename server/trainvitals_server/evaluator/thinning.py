"""Items by step, the past thinned evenly, bounded whatever comes."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Thinned(Generic[T]):
    """Items by step: the newest ``newest`` whole, of older ones every 2^k-th, at most ``past``."""

    def __init__(self, *, newest: int, past: int) -> None:
        self._newest, self._past = newest, past
        self._recent: dict[int, T] = {}
        self._old: dict[int, T] = {}
        self._seen_old = 0
        self._every = 1

    def add(self, step: int, item: T) -> None:
        """Keep an item; one at a known step takes its place."""
        self._recent[step] = item
        if len(self._recent) <= self._newest:
            return
        oldest = min(self._recent)
        leaving = self._recent.pop(oldest)
        if self._seen_old % self._every == 0:
            self._old[oldest] = leaving
        self._seen_old += 1
        if len(self._old) > self._past:
            self._every *= 2
            self._old = {step: self._old[step] for step in sorted(self._old)[::2]}

    def get(self, step: int) -> T | None:
        """The item at a step, if it is kept."""
        return self._recent.get(step, self._old.get(step))

    def forget_from(self, step: int) -> None:
        """Forget items at ``step`` and after."""
        self._recent = {at: item for at, item in self._recent.items() if at < step}
        self._old = {at: item for at, item in self._old.items() if at < step}

    def items(self) -> list[tuple[int, T]]:
        """Steps ascending, each with its item."""
        return sorted((self._old | self._recent).items(), key=lambda pair: pair[0])

    def __len__(self) -> int:
        return len(self._old) + len(self._recent)
