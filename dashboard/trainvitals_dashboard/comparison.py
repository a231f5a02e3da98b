"""Which ranks stand apart from the others, told so carefully that an ordinary scatter never does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainvitals.wire.answers import Curve

NEWEST: Final = 0.1  # of the run …
FEWEST_POINTS: Final = 8  # … and at least so many points
FEWEST_RANKS: Final = 4  # of fewer nobody can say which is the odd one
SHARE: Final = 0.1  # of the median: what is nearer is no trouble
SPREADS: Final = 6.0
SPREADS_OF_FEW: Final = 100.0  # over ranks²: of few ranks some lie close together by chance (1 in 80 with 4 or 8)
SIGMAS: Final = 1.4826  # of a normal distribution, to its median absolute deviation
HALF_WAY: Final = 0.5  # a rank that fell silent before is no slow one
LONG_STEPS: Final = 100  # before that all have just begun

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How ranks lie between the steps ``first_step`` and ``last_step``: the ``median`` of ``compared`` ranks, and those
    that stand ``apart``, rank → mean, the furthest first. ``not_finite``: the first that ceased to be so, rank → step;
    none where all did at once. ``silent``: those that told nothing for half of the run, rank → last step."""

    compared: int = 0
    median: float = float("nan")
    first_step: int = 0
    last_step: int = 0
    apart: dict[int, float] = field(default_factory=dict)
    not_finite: dict[int, int] = field(default_factory=dict)
    silent: dict[int, int] = field(default_factory=dict)


def compare(curves: Sequence[Curve]) -> Comparison:
    """Means of the newest tenth of the run, by their distance from the ranks' median. A rank stands apart that is off
    by a tenth of the median, six median absolute deviations (more of few ranks) and six standard errors of its mean.

    Source: Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993, for distances by MAD.
    """
    told = [curve for curve in curves if curve.steps]
    if not told:
        return Comparison()
    start, last = min(curve.steps[0] for curve in told), max(curve.last_steps[-1] for curve in told)
    eighth = [curve.steps[-min(FEWEST_POINTS, len(curve.steps))] for curve in told]
    first = int(min(last - NEWEST * (last - start), np.median(eighth)))
    newest = {curve.rank: points for curve in told if len(points := _since(first, curve)) >= FEWEST_POINTS // 2}
    means = {rank: float(points.mean()) for rank, points in newest.items()}
    median = float(np.median(list(means.values()))) if means else float("nan")
    return Comparison(
        compared=len(means),
        median=median,
        first_step=first,
        last_step=last,
        apart=_apart(means, median, list(newest.values())),
        not_finite=_not_finite(told),
        silent={
            curve.rank: curve.last_steps[-1]
            for curve in told
            if last - start >= LONG_STEPS and curve.last_steps[-1] - start < HALF_WAY * (last - start)
        },
    )


def _since(first: int, curve: Curve) -> Numbers:
    """The finite means of a curve's buckets from a step on; float64 [n]."""
    mean = np.frombuffer(curve.mean.data, "<f4")[np.asarray(curve.steps) >= first].astype(np.float64)
    return mean[np.isfinite(mean)]


def _apart(means: dict[int, float], median: float, newest: Sequence[Numbers]) -> dict[int, float]:
    if len(means) < FEWEST_RANKS:
        return {}
    spread = _spread(np.array(list(means.values())))
    scatter = float(np.median([_spread(points) / np.sqrt(len(points)) for points in newest]))
    far = max(
        SHARE * abs(median),
        (SPREADS + SPREADS_OF_FEW / len(means) ** 2) * spread,
        SPREADS * scatter,
        np.spacing(median),
    )
    away = {rank: abs(mean - median) for rank, mean in means.items()}
    return {rank: means[rank] for rank in sorted(away, key=lambda rank: -away[rank]) if away[rank] > far}


def _spread(numbers: Numbers) -> float:
    return SIGMAS * float(np.median(np.abs(numbers - np.median(numbers))))


def _not_finite(curves: Sequence[Curve]) -> dict[int, int]:
    """The first to be so: through their gradients the others follow a step later."""
    first = {curve.rank: curve.steps[np.flatnonzero(curve.nonfinite)[0]] for curve in curves if any(curve.nonfinite)}
    earliest = {rank: step for rank, step in first.items() if step == min(first.values())}
    return earliest if len(earliest) < len(curves) else {}
