"""Gathers the points of a run in whatever order a source has them."""

from __future__ import annotations

import heapq
import math
import re
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from trainvitals.importing.numbers import NoNumber, number_of, shown
from trainvitals.points import MOST_NAMES, checked_name
from trainvitals.wire.floats import LARGEST

MOST_POINTS: Final = 50_000_000  # which take 0.8 GB; those of one metric up to 2 GB, where their steps are in no order
PIECE: Final = 10_000  # points that are sorted at once
NAMED: Final = 8  # of many columns, in one line of the terminal
LEARNING_RATE: Final = "lr"  # as the rules know it
# learning_rate (Transformers, Keras), train/lr, and those of Lightning's LearningRateMonitor: lr-Adam, lr-AdamW-1/pg2
LEARNING_RATES: Final = re.compile(r"(?:.+/)?(?:lr|learning_rate)|lr-[A-Za-z]\w*(?:-\d+)?(?:/pg\d+)?")


class TooManyPoints(ValueError):
    """A run has more of them than memory should have to hold."""


@dataclass(frozen=True, slots=True)
class Series:
    """All points of one metric: ``steps`` int64 [n], ``values`` float64 [n]."""

    steps: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def ordered(self) -> tuple[Series, int]:
        """With ascending steps, each once: of those that came twice the last; and how many others it took the place
        of whose value was another."""
        ordered, replaced = Series(), 0
        steps, values = ordered.steps, ordered.values
        pieces = (self._sorted(first) for first in range(0, len(self.steps), PIECE))
        for place in heapq.merge(*pieces, key=self.steps.__getitem__):
            step, value = self.steps[place], self.values[place]
            if steps and steps[-1] == step:
                replaced += values[-1] != value and not (math.isnan(values[-1]) and math.isnan(value))
                values[-1] = value
            else:
                steps.append(step)
                values.append(value)
        return ordered, replaced

    def _sorted(self, first: int) -> array[int]:
        """Places of the points from one on, by step: a list of all of them would take many times as much memory."""
        places = range(first, min(first + PIECE, len(self.steps)))
        return array("q", sorted(places, key=self.steps.__getitem__))


class Gathered:
    """Points by metric, and ``remarks`` on what was not taken, each said once. ``crowded``: a metric had several points
    in a row at one step."""

    def __init__(self) -> None:
        self.crowded = False
        self._points = 0
        self._series: dict[str, Series] = {}
        self._refused: set[str] = set()
        self._worded: Counter[str] = Counter()
        self._replaced: Counter[str] = Counter()
        self._unordered: set[str] = set()
        self._remarks: dict[str, None] = {}

    def take(self, metric: str, step: int, cell: object) -> None:
        """Add what a cell holds, if it is a number."""
        try:
            value = number_of(cell)
        except NoNumber:
            self.miss(metric)
            return
        if value is not None:
            self.add(metric, step, value)

    def miss(self, metric: str) -> None:
        """Count what is no number."""
        self._worded[metric] += 1

    def add(self, metric: str, step: int, value: float) -> None:
        """Add a point. Raises TooManyPoints."""
        series = self._series.get(metric)
        if series is None:
            if not self._has_room_for(metric):
                return
            series = self._series[metric] = Series()
        elif step <= series.steps[-1]:
            self.crowded |= step == series.steps[-1]
            self._unordered.add(metric)
        if not -LARGEST <= value <= LARGEST and math.isfinite(value):
            value = math.copysign(LARGEST, value)
            self.remark(f"finite values beyond ±{LARGEST:.1e}, the largest that is kept, are kept as that")
        if self._points == MOST_POINTS:
            raise TooManyPoints(f"it holds more than {MOST_POINTS:,} values")
        self._points += 1
        series.steps.append(step)
        series.values.append(value)

    def remark(self, sentence: str) -> None:
        """Have something said."""
        self._remarks[sentence] = None

    @property
    def remarks(self) -> list[str]:
        """What is to be said of what was read."""
        no_metrics = [name for name in self._worded if name not in self._series]
        wordy = [name for name in self._worded if name in self._series]
        said = list(self._remarks)
        self._order()
        if self._replaced:
            names = listed(self._replaced, self._replaced)
            said.append(f"left out, for later points of the same steps took their place: {names}")
        if no_metrics:
            said.append(f"left out, for they hold no numbers: {listed(no_metrics)}")
        if wordy:
            said.append(f"single values that are no numbers are left out: {listed(wordy, self._worded)}")
        return said

    @property
    def metrics(self) -> list[str]:
        """Names, as the source has them."""
        return list(self._series)

    @property
    def words(self) -> list[str]:
        """Names of which something came that is no number."""
        return list(self._worded)

    def series(self) -> dict[str, Series]:
        """By metric, steps ascending; the learning rate under the name that rules know."""
        self._order()
        found = dict(self._series)
        if LEARNING_RATE in found:
            return found
        rate = next(filter(LEARNING_RATES.fullmatch, found), None)
        return {LEARNING_RATE if metric == rate else metric: series for metric, series in found.items()}

    def _order(self) -> None:
        for metric in sorted(self._unordered):
            self._series[metric], replaced = self._series[metric].ordered()
            if replaced:
                self._replaced[metric] += replaced
        self._unordered.clear()

    def _has_room_for(self, metric: str) -> bool:
        if metric in self._refused:
            return False
        try:
            checked_name(metric)
        except ValueError as error:
            self._refused.add(metric)
            self.remark(f"metric {shown(metric)} is left out: {error}")
            return False
        if len(self._series) >= MOST_NAMES:
            self.remark(
                f"a run has at most {MOST_NAMES:,} metrics: those after {list(self._series)[-1]!r} are left out"
            )
            return False
        return True


def listed(names: Iterable[str], counts: Counter[str] | None = None) -> str:
    """Names in one line, not all of them if they are many; behind each how often, where ``counts`` tell."""
    known = list(names)
    told = [f"{shown(name)} ({counts[name]:,})" if counts else shown(name) for name in known[:NAMED]]
    more = len(known) - NAMED
    return ", ".join(told) + (f" and {more:,} more" if more > 0 else "")
