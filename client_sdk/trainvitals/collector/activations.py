"""The outputs of layers in one sampled step: small ones are copied, which is one kernel, and reduced together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.few import ACTIVATIONS, at_once
from trainvitals.collector.parcel import on_one_device
from trainvitals.collector.sample import Sample
from trainvitals.collector.stats import activations, histograms

MAX_CALLS: Final = 50_000  # of layers in a step: an optimizer that never steps must not make it grow for ever


@dataclass(frozen=True, slots=True)
class Waiting:
    """Outputs of which equally many values were taken: all of each, or few, and then the least and the greatest of all
    of them, too: one value is enough to ruin a training. ``most``: how many are reduced together."""

    most: int
    layers: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)
    least: list[Tensor] = field(default_factory=list)
    greatest: list[Tensor] = field(default_factory=list)


class Activations:
    """Takes outputs one by one, and adds them to a sample when there are many, or at the end."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._waiting: dict[tuple[int, bool], Waiting] = {}
        self._room = MAX_CALLS

    def take(self, layer: int, output: Tensor, *, unit_peaks: Tensor | None = None) -> None:
        """An output as it is now: the next layer may change it in place. ``unit_peaks``: the greatest value of each of
        its units, where they are known."""
        if self._room == 0:
            return
        self._room -= 1
        few = ACTIVATIONS.of(output)
        values = few.reshape(-1).to(torch.float32, copy=True)
        count, is_whole = values.numel(), few is output
        waiting = self._waiting.get((count, is_whole))
        if waiting is None:
            waiting = self._waiting[count, is_whole] = Waiting(at_once(count, device=values.device))
        waiting.layers.append(layer)
        waiting.sizes.append(output.numel())
        waiting.values.append(values)
        if not is_whole:
            least, greatest = activations.extremes(output, unit_peaks=unit_peaks)
            waiting.least.append(least)
            waiting.greatest.append(greatest)
        if len(waiting.values) >= waiting.most:
            self._reduce(waiting)
            del self._waiting[count, is_whole]

    def reduce(self) -> None:
        """Add all that waits to the sample."""
        for waiting in self._waiting.values():
            self._reduce(waiting)
        self._waiting.clear()

    def _reduce(self, waiting: Waiting) -> None:
        rows = torch.stack(on_one_device(waiting.values))
        reduced = activations.reduce_rows(rows)
        if waiting.least:
            reduced[activations.LARGEST] = activations.largest_of(
                on_one_device(waiting.least), on_one_device(waiting.greatest)
            )
        self._sample.add("activations", reduced, owners=waiting.layers, sizes=waiting.sizes)
        if self._sample.with_histograms:
            shares = histograms.reduce_rows(rows)
            self._sample.add_histograms("activations", shares, owners=waiting.layers, sizes=waiting.sizes)
