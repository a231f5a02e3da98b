"""The outputs of layers in one sampled step: small ones are kept as they are, or copied, and reduced together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.few import ACTIVATIONS, at_once
from trainvitals.collector.sample import Sample
from trainvitals.collector.stats import activations, histograms

MAX_CALLS: Final = 50_000  # of layers in a step: an optimizer that never steps must not make it grow for ever
MOST_BYTES: Final = 4 * ACTIVATIONS.most  # of memory that is held for an output


class InPlace:
    """Which layers give out what the next operations leave as it is, by what became of it in earlier snapshots: it need
    not be copied. A tensor that shares memory with another shares the version that changes in place count up; changes
    that are not counted (by ``.data``, or by other libraries) are seen where they are there from the first snapshot on.
    """

    def __init__(self) -> None:
        self._is_left: dict[int, bool] = {}

    def leaves(self, layer: int) -> bool | None:
        """Whether nothing has ever changed what the layer gave out; None where nobody has looked."""
        return self._is_left.get(layer)

    def note(self, layer: int, *, was_left: bool) -> None:
        """What became of an output."""
        self._is_left[layer] = was_left and self._is_left.get(layer, True)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Outputs of one shape, or few of their values, and then the least and the greatest of all of them, too: one value
    is enough to ruin a training. ``most``: how many are reduced together; ``outputs``, with their versions: those that
    are looked at for changes, each also among the ``values`` unless that is a copy."""

    most: int
    layers: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)
    outputs: list[tuple[Tensor, int] | None] = field(default_factory=list)
    least: list[Tensor] = field(default_factory=list)
    greatest: list[Tensor] = field(default_factory=list)

    def without(self, places: set[int]) -> Waiting:
        """All but those in these places, of which whole outputs wait."""
        kept = [place for place in range(len(self.values)) if place not in places]
        layers, sizes = [self.layers[place] for place in kept], [self.sizes[place] for place in kept]
        return Waiting(self.most, layers, sizes, [self.values[place] for place in kept])


class Activations:
    """Takes outputs one by one, and adds them to a sample when there are many, or at the end."""

    def __init__(self, sample: Sample, in_place: InPlace) -> None:
        self._sample = sample
        self._in_place = in_place
        self._waiting: dict[tuple[torch.Size, bool, torch.device], Waiting] = {}
        self._room = MAX_CALLS

    def take(self, layer: int, output: Tensor, *, unit_peaks: Tensor | None = None) -> None:
        """An output as it is now: the next layer may change it in place. It needs no gradient. ``unit_peaks``: the
        greatest value of each of its units, where they are known."""
        if self._room == 0:
            return
        self._room -= 1
        few = ACTIVATIONS.of(output)
        is_whole, is_left = few is output, self._in_place.leaves(layer)
        can_stay = is_whole and is_left is not False and _can_stay(output)
        values = few if can_stay and is_left else _copied(few)
        key = (few.shape, is_whole, few.device)
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = Waiting(at_once(few.numel(), device=few.device))
        waiting.layers.append(layer)
        waiting.sizes.append(output.numel())
        waiting.values.append(values)
        waiting.outputs.append((output, output._version) if can_stay else None)
        if not is_whole:
            least, greatest = activations.extremes(output, unit_peaks=unit_peaks)
            waiting.least.append(least)
            waiting.greatest.append(greatest)
        if len(waiting.values) >= waiting.most:
            self._reduce(waiting)
            del self._waiting[key]

    def reduce(self) -> None:
        """Add all that waits to the sample."""
        for waiting in self._waiting.values():
            self._reduce(waiting)
        self._waiting.clear()

    def _reduce(self, waiting: Waiting) -> None:
        if spoilt := self._look_for_changes(waiting):
            waiting = waiting.without(spoilt)
            if not waiting.values:
                return
        rows = torch.stack(waiting.values).reshape(len(waiting.values), -1)
        reduced = activations.reduce_rows(rows)
        if waiting.least:
            reduced[activations.LARGEST] = activations.largest_of(waiting.least, waiting.greatest)
        self._sample.add("activations", reduced, owners=waiting.layers, sizes=waiting.sizes)
        if self._sample.with_histograms:
            shares = histograms.reduce_rows(rows)
            self._sample.add_histograms("activations", shares, owners=waiting.layers, sizes=waiting.sizes)

    def _look_for_changes(self, waiting: Waiting) -> set[int]:
        """The places of outputs that were not copied and are no more what their layers gave out."""
        spoilt = set()
        for place, held in enumerate(waiting.outputs):
            if held is None:
                continue
            output, version = held
            layer, values = waiting.layers[place], waiting.values[place]
            was_left = output._version == version
            if not was_left and values is output:
                spoilt.add(place)
            if was_left and values is not output:  # nobody has looked before: changes may not be counted
                was_left = torch.equal(values, output)
            self._in_place.note(layer, was_left=was_left)
        return spoilt


def _can_stay(output: Tensor) -> bool:
    """Whether it may be looked at later on. On a CPU, where a copy takes longer than to look; nowhere where memory that
    is many times as large would stay with it, or changes are not counted."""
    return (
        output.dtype is torch.float32
        and output.device.type == "cpu"
        and not output.is_inference()
        and output.untyped_storage().nbytes() <= MOST_BYTES
    )


def _copied(values: Tensor) -> Tensor:
    return values.clone() if values.dtype is torch.float32 else values.to(torch.float32)
