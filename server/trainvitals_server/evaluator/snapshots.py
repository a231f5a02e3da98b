"""Snapshots of the layers: the newest whole, the past thinned, put together when a rule asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np

from trainvitals.wire.messages import LayerInfo
from trainvitals_server.diagnosis.window import Floats32, Steps
from trainvitals_server.evaluator.thinning import Thinned

NEWEST: Final = 48
PAST: Final = 32
MOST_STATS: Final = 64
MOST_VALUES: Final = 4_000_000  # of the newest snapshots, and of the past
FEWEST: Final = 16  # which rules need, however large they are
Bools = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Packed:
    """A snapshot in one piece: ``rows``, of each stat its row in ``values``, float32 [stats, layers]."""

    rows: Mapping[str, int]
    values: Floats32


class Snapshots:
    """Bounded whatever comes."""

    def __init__(self) -> None:
        self._kept: Thinned[Packed] = Thinned(newest=NEWEST, past=PAST)
        self._rows: dict[tuple[str, ...], Mapping[str, int]] = {}  # most snapshots have the same stats as another
        self._layers: tuple[str, ...] = ()
        self._info: Mapping[str, LayerInfo] = {}
        self._since = 0
        self._nonfinite: dict[str, Bools | tuple[int, ...]] | None = None  # until something comes; all well: the shape

    def describe(self, info: Mapping[str, LayerInfo], *, since: int = 0) -> None:
        """Learn what the layers are; snapshots before step ``since`` tell nothing of them."""
        self._info, self._since, self._nonfinite = info, since, None
        self._kept.forget_before(since)

    def add(self, step: int, layers: tuple[str, ...], stats: dict[str, Floats32]) -> None:
        """Take one in: stat → float32 [layers]. Other layers than before begin anew."""
        if step < self._since:
            return
        if layers != self._layers:
            self._layers = layers
            room = max(FEWEST, MOST_VALUES // max(1, len(layers) * len(stats)))
            self._kept = Thinned(newest=min(NEWEST, room), past=min(PAST, room))
        if (known := self._kept.get(step)) is not None:  # one step may come in two frames
            stats = {stat: known.values[row] for stat, row in known.rows.items()} | stats
        self._kept.add(step, self._packed(dict(list(stats.items())[:MOST_STATS])))
        self._nonfinite = None

    def _packed(self, stats: dict[str, Floats32]) -> Packed:
        names = tuple(stats)
        if names not in self._rows:
            if len(self._rows) >= MOST_STATS:  # nobody's stats change so often
                self._rows.clear()
            self._rows[names] = {stat: row for row, stat in enumerate(names)}
        return Packed(
            self._rows[names], np.array(list(stats.values()), np.float32).reshape(len(stats), len(self._layers))
        )

    def forget_from(self, step: int) -> None:
        """Forget those at ``step`` and after."""
        self._kept.forget_from(step)
        self._nonfinite = None

    @property
    def layers(self) -> tuple[str, ...]:
        """Their names."""
        return self._layers

    def steps(self) -> Steps:
        """At which there is one: [n], ascending."""
        return np.array([step for step, _ in self._kept.items()], np.int64)

    def stats(self) -> Stats:
        """Of these steps."""
        return Stats([snapshot for _, snapshot in self._kept.items()], layers=len(self._layers))

    def nonfinite(self, stats: Stats) -> dict[str, Bools]:
        """As a window has it; ``stats``: as they are now."""
        if self._nonfinite is None:
            found = nonfinite_of(stats, self._layers, self._info, recorded=stats.recorded)
            for mask in found.values():
                mask.setflags(write=False)  # several looks, and all rules, read the same
            self._nonfinite = {stat: mask if mask.any() else mask.shape for stat, mask in found.items()}
        return {
            stat: np.zeros(kept, bool) if isinstance(kept, tuple) else kept for stat, kept in self._nonfinite.items()
        }


class Stats(Mapping[str, Floats32]):
    """Stat → float32 [n, layers], put together when a rule asks for it."""

    def __init__(self, snapshots: list[Packed], *, layers: int) -> None:
        self._snapshots = snapshots
        self._nothing = np.full(layers, np.nan, np.float32)
        kinds = {id(snapshot.rows): snapshot.rows for snapshot in snapshots}
        self._names = dict.fromkeys(chain.from_iterable(kinds.values()))
        self._made: dict[str, Floats32] = {}

    def __getitem__(self, stat: str) -> Floats32:
        if stat not in self._made:
            if stat not in self._names:
                raise KeyError(stat)
            each = [
                self._nothing if (row := snapshot.rows.get(stat)) is None else snapshot.values[row]
                for snapshot in self._snapshots
            ]
            self._made[stat] = np.concatenate(each).reshape(len(each), len(self._nothing))
        return self._made[stat]

    def recorded(self, stat: str) -> Bools:
        """Which snapshots have the stat at all: bool [n, 1]."""
        return np.array([[stat in snapshot.rows] for snapshot in self._snapshots], bool)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def nonfinite_of(
    stats: Mapping[str, Floats32],
    layers: tuple[str, ...],
    info: Mapping[str, LayerInfo],
    *,
    recorded: Callable[[str], Bools] = lambda _: np.ones((1, 1), bool),
) -> dict[str, Bools]:
    """Where a value is wrong rather than absent: stat → bool [n, layers].

    NaN also stands for "does not apply" (a layer without parameters) and "no gradient came"; so a gradient is called
    non-finite if it is infinite, or NaN after it was a number while the step left no number either: a layer that is
    skipped or frozen for a while has no gradient, and a sound update. A weight is only where the layer has any. Where
    a snapshot has not ``recorded`` the stat, nothing is wrong.
    """
    found = {}
    if (counts := stats.get("activation_nonfinite")) is not None:
        found["activation"] = counts > 0  # false for NaN
    if (gradients := stats.get("grad_norm")) is not None:
        was_number = np.logical_or.accumulate(np.isfinite(gradients), axis=0)
        lost = np.isnan(gradients) & was_number & recorded("grad_norm")
        if (updates := stats.get("update_rms")) is not None:
            lost &= ~np.isfinite(updates)  # the weights are well: no gradient came
        found["gradient"] = np.isinf(gradients) | lost
    if (weights := stats.get("weight_norm")) is not None:
        has_weights = np.array([name in info and info[name].parameters > 0 for name in layers], bool)
        found["weight"] = ~np.isfinite(weights) & has_weights & recorded("weight_norm")
    return found
