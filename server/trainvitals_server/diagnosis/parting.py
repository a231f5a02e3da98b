"""Where the losses of two runs part: to the last bit, and beyond their noise."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainvitals.wire.answers import Curve
from trainvitals.wire.checklist import Parting
from trainvitals_server.diagnosis.reading import MAD_TO_SIGMA, word

FEWEST: Final = 5  # points of a window …
WINDOWS: Final = 20  # … of which there are so many in the steps that both runs have
SIGMAS: Final = 4.0
SHARE: Final = 0.05  # of the loss: what is nearer is no difference
GONE: Final = 1e30  # stands for what is not finite

Numbers = NDArray[np.float64]


def parting(now: Curve, before: Curve, *, first_now: Curve, first_before: Curve) -> Parting | None:
    """Of whole curves, thinned, and of their first points, each one for itself. None where they have no steps in
    common."""
    steps = np.asarray(now.steps, np.int64)
    theirs = np.asarray(before.steps, np.int64)
    if not len(steps) or not len(theirs):
        return None
    steps = steps[(steps >= theirs[0]) & (steps <= theirs[-1])]
    if not len(steps):
        return None
    ours, other = _at(steps, now), _at(steps, before)
    width = min(len(steps), max(FEWEST, len(steps) // WINDOWS))
    return Parting(
        metric=now.metric or "",
        step=int(steps[-1]),
        now=word(_middle(ours[-width:])),
        before=word(_middle(other[-width:])),
        same_until=_same_until(first_now, first_before),
        apart_from=_apart_from(steps, ours, other, width),
    )


def _at(steps: NDArray[np.int64], curve: Curve) -> Numbers:
    """The curve at some steps; what is not finite stays so up to the next point."""
    values = _values(curve).astype(np.float64)
    places = np.searchsorted(curve.steps, steps, side="right").clip(min=1) - 1
    finite = np.isfinite(values)
    if not finite.any():
        return np.full(len(steps), np.nan)
    between = np.interp(steps, np.asarray(curve.steps)[finite], values[finite])
    return np.where(finite[places], between, values[places])


def _middle(values: Numbers) -> float:
    """The median; not a number where most are none."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if 2 * len(finite) > len(values) else float(values[-1])


def _same_until(now: Curve, before: Curve) -> int | None:
    """The last of the first steps up to which both are equal, bit by bit."""
    if now.bucket > 1 or before.bucket > 1:
        return None
    ours, theirs = (dict(zip(one.steps, _values(one).view(np.uint32).tolist(), strict=True)) for one in (now, before))
    same = None
    for step in sorted(ours.keys() & theirs.keys()):
        if ours[step] != theirs[step]:
            break
        same = step
    return same


def _apart_from(steps: NDArray[np.int64], ours: Numbers, theirs: Numbers, width: int) -> int | None:
    """The step from which the means of neighbouring points differ, by a share of the loss and by their noise, to the
    end of what both have."""
    if len(steps) < FEWEST:
        return None
    a, b = (np.where(np.isfinite(values), values, GONE) for values in (ours, theirs))
    noise = math.hypot(_noise(ours), _noise(theirs)) / math.sqrt(width)
    mean = np.ones(width) / width
    away = np.abs(np.convolve(a - b, mean, "valid"))
    level = np.minimum(np.abs(np.convolve(a, mean, "valid")), np.abs(np.convolve(b, mean, "valid")))
    near = np.flatnonzero(away <= np.maximum(SIGMAS * noise, SHARE * level))
    if len(near) and near[-1] == len(away) - 1:
        return None
    first = int(near[-1]) + 1 if len(near) else 0
    return int(steps[first + (width // 2 if first else 0)])


def _noise(values: Numbers) -> float:
    """The standard deviation of one point, from differences of neighbours, which know nothing of the slope."""
    finite = values[np.isfinite(values)]
    return MAD_TO_SIGMA * float(np.median(np.abs(np.diff(finite)))) / math.sqrt(2) if len(finite) > 1 else 0.0


def _values(curve: Curve) -> NDArray[np.float32]:
    return np.frombuffer(curve.mean.data, "<f4")
