"""Where the layers of two runs part: which is the first to differ at all, and which the first to go another way."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
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

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pair:
    """One stat of the layers that both runs have, at steps of theirs: float64 [layers, steps]."""

    stat: str
    layers: list[str]
    steps: NDArray[np.int64]
    now: Numbers
    before: Numbers

    def difference(self, row: int, columns: slice, *, layers: int) -> LayerDifference:
        """Of the layer in that row from the first of the columns on: the medians of all of them."""
        return LayerDifference(
            layer=self.layers[row],
            stat=self.stat,
            step=int(self.steps[columns][0]),
            now=_told(float(np.median(self.now[row, columns]))),
            before=_told(float(np.median(self.before[row, columns]))),
            layers=layers,
        )


def first_difference(heatmaps: Iterable[tuple[Heatmap, Heatmap]]) -> LayerDifference | None:
    """By the points of both as they were recorded: the first step at which anything differs, to the last bit, and of
    that step the first stat and its first layer. ``heatmaps``: of each stat, now and before, in the order of STATS."""
    first: LayerDifference | None = None
    for pair in _pairs(heatmaps, at_same_steps=True):
        differs = ~((pair.now == pair.before) | (np.isnan(pair.now) & np.isnan(pair.before)))
        columns = np.flatnonzero(differs.any(axis=0))
        if len(columns) and (first is None or pair.steps[columns[0]] < first.step):
            at = int(columns[0])
            rows = np.flatnonzero(differs[:, at])
            first = pair.difference(int(rows[0]), slice(at, at + 1), layers=len(rows))
    return first


def first_apart(heatmaps: Iterable[tuple[Heatmap, Heatmap]]) -> LayerDifference | None:
    """By whole heatmaps: the layer that is the first to be twice as large or half, beyond the noise of both, and stays
    so to the end of what both have; of layers that leave together, within a window, the first of the first stat."""
    found = [(step, width, pair, row) for pair in _pairs(heatmaps) for step, width, row in _leaving(pair)]
    if not found:
        return None
    earliest, width, *_ = min(found, key=lambda one: one[0])
    together = [(pair, row) for step, _, pair, row in found if step <= earliest + width]
    pair, row = together[0]
    layers = len({pair.layers[row] for pair, row in together})
    column = int(np.searchsorted(pair.steps, earliest).clip(max=len(pair.steps) - 1))
    return pair.difference(row, slice(column, None), layers=layers)


def _pairs(heatmaps: Iterable[tuple[Heatmap, Heatmap]], *, at_same_steps: bool = False) -> Iterator[Pair]:
    for now, before in heatmaps:
        layers = [layer for layer in now.layers if layer in set(before.layers)]
        if not layers or not now.steps or not before.steps:
            continue
        ours, theirs = np.asarray(now.steps, np.int64), np.asarray(before.steps, np.int64)
        if at_same_steps:
            steps = np.intersect1d(ours, theirs)
            a, b = (_rows(of, layers)[:, np.searchsorted(of.steps, steps)] for of in (now, before))
        else:
            steps = ours[(ours >= theirs[0]) & (ours <= theirs[-1])]
            a, b = (_between(steps, of, _rows(of, layers)) for of in (now, before))
        if len(steps):
            yield Pair(now.stat, layers, steps, a, b)


def _rows(heatmap: Heatmap, layers: list[str]) -> Numbers:
    """Of these layers: float64 [layers, columns], infinite where anything was not, NaN where nothing was told."""
    shape = (len(heatmap.layers), len(heatmap.steps))
    values = np.frombuffer(heatmap.mean.data, "<f4").astype(np.float64).reshape(shape)
    values[np.asarray(heatmap.nonfinite).reshape(shape) > 0] = np.inf
    places = {layer: place for place, layer in enumerate(heatmap.layers)}
    return values[[places[layer] for layer in layers]]


def _between(steps: NDArray[np.int64], heatmap: Heatmap, rows: Numbers) -> Numbers:
    """Rows of a heatmap at other steps; of a layer of which nothing is told, NaN."""
    found = np.full((len(rows), len(steps)), np.nan)
    own = np.asarray(heatmap.steps)
    for row, values in enumerate(rows):
        told = ~np.isnan(values)
        if told.any():
            found[row] = np.interp(steps, own[told], values[told].clip(max=GONE))
    return found


def _leaving(pair: Pair) -> Iterator[tuple[int, int, int]]:
    """Layers that part: from which step on, the width of the window in steps, and their rows."""
    columns = len(pair.steps)
    if columns < FEWEST:
        return
    width = min(columns, max(FEWEST, columns // WINDOWS))
    logs = [np.log(of.clip(min=LEAST, max=GONE)) for of in (pair.now, pair.before)]
    mean = np.ones(width) / width
    for row, (ours, theirs) in enumerate(zip(*logs, strict=True)):
        away = np.abs(np.convolve(ours - theirs, mean, "valid"))
        if np.isnan(away).any():
            continue
        noise = math.hypot(_noise(ours), _noise(theirs)) / math.sqrt(width)
        near = np.flatnonzero(away <= max(math.log(FACTOR), SIGMAS * noise))
        if len(near) and near[-1] == len(away) - 1:
            continue
        first = int(near[-1]) + 1 if len(near) else 0
        begins = int(pair.steps[first + (width // 2 if first else 0)])
        yield begins, int(pair.steps[-1] - pair.steps[0]) * width // columns, row


def _noise(values: Numbers) -> float:
    """The standard deviation of one point, from differences of neighbours."""
    return MAD_TO_SIGMA * float(np.median(np.abs(np.diff(values)))) / math.sqrt(2)


def _told(value: float) -> float | str:
    return word(math.inf if value >= GONE else value)
