"""The outputs of layers in one sampled step: small ones are copied, which is one kernel, and reduced together."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.few import ACTIVATIONS
from trainvitals.collector.parcel import on_one_device
from trainvitals.collector.sample import Sample
from trainvitals.collector.stats import activations, histograms

MAX_WAITING: Final = 256  # copies of one size: gradient accumulation is to take no more memory with every micro-batch
MAX_CALLS: Final = 50_000  # of layers in a step: an optimizer that never steps must not make it grow for ever


class Activations:
    """Takes outputs one by one, and adds them to a sample when there are many, or at the end."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._waiting: dict[int, list[tuple[int, int, Tensor, Tensor | None]]] = {}
        self._room = MAX_CALLS

    def take(self, layer: int, output: Tensor) -> None:
        """An output as it is now: the next layer may change it in place."""
        if self._room == 0:
            return
        self._room -= 1
        few, peak = ACTIVATIONS.of(output), None
        if few is not output:
            peak = activations.largest(output)  # of all: one value is enough to ruin a training
        values = few.reshape(-1).to(torch.float32, copy=True)
        waiting = self._waiting.setdefault(values.numel(), [])
        waiting.append((layer, output.numel(), values, peak))
        if len(waiting) == MAX_WAITING:
            self.reduce()

    def reduce(self) -> None:
        """Add all that waits to the sample."""
        for waiting in self._waiting.values():
            layers, sizes, values, peaks = zip(*waiting, strict=True)
            rows = torch.stack(on_one_device(values))
            reduced = activations.reduce_rows(rows)
            for column, peak in enumerate(peaks):
                if peak is not None:
                    reduced[activations.LARGEST, column] = peak
            self._sample.add("activations", reduced, owners=layers, sizes=sizes)
            if self._sample.with_histograms:
                shares = histograms.reduce_rows(rows)
                self._sample.add_histograms("activations", shares, owners=layers, sizes=sizes)
        self._waiting.clear()
