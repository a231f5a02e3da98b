"""Items by step, the past thinned evenly, bounded whatever comes."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, MutableSequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Stretch(Generic[T]):
    """Items by step, ascending: ``steps`` and ``items`` in parallel."""

    def __init__(self, items: MutableSequence[T]) -> None:
        self.steps, self.items = array("q"), items

    def find(self, step: int) -> int | None:
        """The place of a step; None if it is not there."""
        place = bisect_left(self.steps, step)
        return place if place < len(self.steps) and self.steps[place] == step else None

    def put(self, step: int, item: T) -> None:
        """Add an item at a new step, nearly always the last one."""
        place = bisect_left(self.steps, step) if self.steps and self.steps[-1] > step else len(self.steps)
        self.steps.insert(place, step)
        self.items.insert(place, item)

    def drop(self, which: slice) -> None:
        """Forget the items at these places."""
        del self.steps[which]
        del self.items[which]


class Thinned(Generic[T]):
    """Items by step: the newest ``newest`` whole, of older ones the ``first`` and every 2^k-th, at most ``past``.
    ``held_in`` makes what holds the items: in an array numbers are small and soon read."""

    def __init__(
        self, *, newest: int, past: int, first: int = 0, held_in: Callable[[], MutableSequence[T]] = list
    ) -> None:
        self._newest, self._past, self._first = newest, past, first
        self.recent: Stretch[T] = Stretch(held_in())
        self.old: Stretch[T] = Stretch(held_in())
        self._seen_old = 0
        self._every = 1

    def add(self, step: int, item: T) -> None:
        """Keep an item; one at a known step takes its place."""
        for stretch in (self.recent, self.old):
            if stretch.steps and step <= stretch.steps[-1] and (place := stretch.find(step)) is not None:
                stretch.items[place] = item
                return
        self.recent.put(step, item)
        if len(self.recent.steps) > self._newest:
            self._age(self.recent.steps[0], self.recent.items[0])
            self.recent.drop(slice(0, 1))

    def _age(self, step: int, item: T) -> None:
        if self._seen_old < self._first or self._seen_old % self._every == 0:
            self.old.put(step, item)
        self._seen_old += 1
        if len(self.old.steps) > self._past:
            self._every *= 2
            self.old.drop(slice(self._first + 1, None, 2))

    def get(self, step: int) -> T | None:
        """The item at a step, if it is kept."""
        for stretch in (self.recent, self.old):
            if (place := stretch.find(step)) is not None:
                return stretch.items[place]
        return None

    def forget_from(self, step: int) -> None:
        """Forget items at ``step`` and after."""
        for stretch in (self.recent, self.old):
            stretch.drop(slice(bisect_left(stretch.steps, step), None))

    def forget_before(self, step: int) -> None:
        """Forget items before ``step``."""
        for stretch in (self.recent, self.old):
            stretch.drop(slice(0, bisect_left(stretch.steps, step)))

    def items(self) -> list[tuple[int, T]]:
        """Steps ascending, each with its item."""
        both = [
            *zip(self.old.steps, self.old.items, strict=True),
            *zip(self.recent.steps, self.recent.items, strict=True),
        ]
        return both if self.is_apart else sorted(both, key=lambda one: one[0])

    @property
    def is_apart(self) -> bool:
        """Whether all that is old lies before all that is recent: one that came late may lie among the recent."""
        return not self.old.steps or not self.recent.steps or self.old.steps[-1] < self.recent.steps[0]

    def __len__(self) -> int:
        return len(self.old.steps) + len(self.recent.steps)
