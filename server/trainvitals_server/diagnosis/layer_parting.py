"""Where the layers of two runs part: which is the first to differ at all, and which the first to go another way."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from trainvitals.wire.answers import Heatmap
from trainvitals.wire.checklist import LayerDifference
from trainvitals_server.diagnosis.reading import MAD_TO_SIGMA, word

STATS: Final = ("activation_std", "grad_norm", "update_ratio", "weight_norm")  # in the order in which a step makes them
FACTOR: Final = 2.0  # what is nearer goes the same way
SIGMAS: Final = 4.0
FEWEST: Final = 5  # columns
WINDOWS: Final = 20  # as of the losses
LEAST: Final = 1e-30  # stands for nothing …
GONE: Final = 1e30  # … and for what is not finite
MIDDLE: Final = 50  # per cent

Numbers = NDArray[np.float64]
Steps = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What was compared: the last step, None where nothing was; and the difference that was found, if one was."""

    until: int | None
    found: LayerDifference | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A stat of one layer as both runs tell it: float64 [n] each, at ``steps`` int64 [n] of which both tell."""

    stat: str
    layer: str
    steps: Steps
    now: Numbers
    before: Numbers

    def difference(self, columns: slice, *, layers: int) -> LayerDifference:
        """From the first of the columns on: the medians of all of them."""
        now, before = (
            float(np.percentile(of[columns], MIDDLE, method="lower")) for of in (self.now, self.before)
        )  # one of the values, so that what stands for others is not mixed with numbers
        return LayerDifference(
            layer=self.layer,
            stat=self.stat,
            step=int(self.steps[columns][0]),
            now=word(now if now < GONE else math.inf),
            before=word(before if before < GONE else math.inf),
            layers=layers,
        )


def first_difference(heatmaps: Iterable[tuple[Heatmap, Heatmap]]) -> Compared:
    """By the points of both as they were recorded: the first step at which anything differs, to the last bit, and of
    that step the first stat and its first layer. ``heatmaps``: of each stat, now and before, in the order of STATS."""
    until: int | None = None
    first: tuple[int, list[Told], int] | None = None  # the step, what differs there, in which column
    for now, before in heatmaps:
        together: dict[int, list[tuple[Told, int]]] = {}
        for told in _told(now, before, at_same_steps=True):
            until = max(int(told.steps[-1]), until or 0)
            differs = np.flatnonzero(told.now != told.before)
            if len(differs):
                together.setdefault(int(told.steps[differs[0]]), []).append((told, int(differs[0])))
        if together and (first is None or min(together) < first[0]):
            step = min(together)
            first = step, [told for told, _ in together[step]], together[step][0][1]
    if first is None:
        return Compared(until=until, found=None)
    _, layers, at = first
    return Compared(until=until, found=layers[0].difference(slice(at, at + 1), layers=len(layers)))


def first_apart(heatmaps: Iterable[tuple[Heatmap, Heatmap]]) -> Compared:
    """By whole heatmaps: the layer that is the first to be twice as large or half, beyond the noise of both, and stays
    so to the end of what both have; of layers that leave together, within a window, the first of the first stat."""
    until: int | None = None
    leaving: list[tuple[Told, int, int]] = []  # in which column, and how wide a window is in steps
    for now, before in heatmaps:
        for told in _told(now, before):
            columns = len(told.steps)
            if columns < FEWEST:
                continue
            until = max(int(told.steps[-1]), until or 0)
            width = min(columns, max(FEWEST, columns // WINDOWS))
            if (at := _leaves(told, width)) is not None:
                leaving.append((told, at, int(told.steps[-1] - told.steps[0]) * width // columns))
    if not leaving:
        return Compared(until=until, found=None)
    earliest, wide = min((int(told.steps[at]), wide) for told, at, wide in leaving)
    together = [(told, at) for told, at, _ in leaving if told.steps[at] <= earliest + wide]
    told, at = together[0]
    layers = len({one.layer for one, _ in together})
    return Compared(until=until, found=told.difference(slice(at, None), layers=layers))


def _told(now: Heatmap, before: Heatmap, *, at_same_steps: bool = False) -> Iterator[Told]:
    """Layers that both have, where both tell something: at steps of both, or at those of ``now``."""
    places = {layer: place for place, layer in enumerate(before.layers)}
    theirs, then = _values(before), np.asarray(before.steps, np.int64)
    for layer, ours in zip(now.layers, _values(now), strict=True):
        if layer not in places:
            continue
        other = theirs[places[layer]]
        if at_same_steps:
            steps, mine, yours = np.intersect1d(now.steps, then, return_indices=True)
            a, b = ours[mine], other[yours]
        else:
            steps, a = np.asarray(now.steps, np.int64), ours
            known = ~np.isnan(other)
            if not known.any():
                continue
            b = np.interp(steps, then[known], other[known], left=np.nan, right=np.nan)
        both = ~(np.isnan(a) | np.isnan(b))
        if both.any():
            yield Told(stat=now.stat, layer=layer, steps=steps[both].astype(np.int64), now=a[both], before=b[both])


def _values(heatmap: Heatmap) -> Numbers:
    """float64 [layers, columns]: GONE where nothing was finite, NaN where nothing was told."""
    shape = (len(heatmap.layers), len(heatmap.steps))
    values = np.frombuffer(heatmap.mean.data, "<f4").astype(np.float64).reshape(shape)
    bad = np.asarray(heatmap.nonfinite, np.int64).reshape(shape) > 0
    return np.where(np.isnan(values) & bad, GONE, values)


def _leaves(told: Told, width: int) -> int | None:
    """The column from which the medians of neighbouring columns differ to the end, and the first of these that does so
    by itself; None where they do not."""
    ours, theirs = (np.log(np.abs(of).clip(min=LEAST, max=GONE)) for of in (told.now, told.before))
    away = np.abs(np.median(sliding_window_view(ours - theirs, width), axis=1))
    noise = math.hypot(_noise(ours), _noise(theirs)) / math.sqrt(width)
    line = max(math.log(FACTOR), SIGMAS * noise)
    near = np.flatnonzero(away <= line)
    if len(near) and near[-1] == len(away) - 1:
        return None
    begins = int(near[-1]) + 1 if len(near) else 0
    return begins + int(np.argmax(np.abs(ours - theirs)[begins : begins + width] > line))


def _noise(values: Numbers) -> float:
    """The standard deviation of one point, from differences of neighbours."""
    return MAD_TO_SIGMA * float(np.median(np.abs(np.diff(values)))) / math.sqrt(2)
