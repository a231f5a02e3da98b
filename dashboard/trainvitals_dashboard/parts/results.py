"""A run's results: what the script put into its summary, and what its definitions of metrics single out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from trainvitals.wire.answers import Curve
from trainvitals.wire.definitions import Definitions
from trainvitals.wire.notes import MetricDefinition
from trainvitals_dashboard import words
from trainvitals_dashboard.gathering import RunView
from trainvitals_dashboard.parts.settings_card import flat

BEST: Final = {"minimize": "min", "maximize": "max"}  # a goal → the value that is best
ASKED: Final = ("min", "max", "mean", "last")


def results(view: RunView) -> list[tuple[str, str]]:
    """(name, value) each: the summary, then for instance ("accuracy · max", "0.93")."""
    return [*flat(view.detail.notes.summary), *_defined(view)]


def _defined(view: RunView) -> Iterator[tuple[str, str]]:
    definitions = Definitions(view.detail.notes.metrics)
    for metric in view.detail.metrics:
        definition, curve = definitions.of(metric), view.curves.get(metric)
        if definition is not None and curve is not None:
            yield from ((f"{metric} · {word}", words.number(_value(curve, word))) for word in _asked(definition))


def _asked(definition: MetricDefinition) -> list[str]:
    """Who gives a goal alone wants the best; without a goal the least is the best, as of a loss."""
    best = BEST[definition.goal or "minimize"]
    given = definition.summary or ("best" if definition.goal else "")
    named = [best if word.strip() == "best" else word.strip() for word in given.split(",")]
    return [word for word in dict.fromkeys(named) if word in ASKED]


def _value(curve: Curve, word: str) -> float | None:
    """Of the finite values; of a long run the mean is that of the curve's buckets."""
    if word == "last":
        return curve.mean.tolist()[-1] if curve.steps else None
    values = {"min": curve.low, "max": curve.high, "mean": curve.mean}[word].tolist()
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return None
    return min(finite) if word == "min" else max(finite) if word == "max" else sum(finite) / len(finite)
