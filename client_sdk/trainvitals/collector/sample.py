"""What one sampled step gives, still on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from torch import Tensor

from trainvitals.collector.decay import Decay
from trainvitals.wire.histograms import ValueKind

HISTOGRAM: Final = "histogram/"  # before the kind of values
TOGETHER: Final = "gradients_together"  # the kind of norms that are of many parameters at once, and of no layer


@dataclass(slots=True)
class Columns:
    """Numbers of one kind, [rows, columns] in pieces, with the layer and the number of values behind each column."""

    pieces: list[Tensor] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


class Sample:
    """Collects columns by kind, which is the name of a module in ``stats``. ``in_depth``: with the kinds that are
    looked at less often. ``with_histograms``: with those, which are taken even less often."""

    def __init__(self, step: int, *, in_depth: bool, with_histograms: bool = False) -> None:
        self.step = step
        self.in_depth = in_depth
        self.with_histograms = with_histograms
        self.kinds: dict[str, Columns] = {}
        self.decays: list[Decay] = []  # of each parameter, in the order of the columns of "updates"
        self.facts: dict[str, float | Tensor] = {}  # by name, without the prefix

    def add(self, kind: str, piece: Tensor, *, owners: Sequence[int], sizes: Sequence[int]) -> None:
        """One more piece [rows, columns]."""
        columns = self.kinds.setdefault(kind, Columns())
        columns.pieces.append(piece)
        columns.owners.extend(owners)
        columns.sizes.extend(sizes)

    def add_histograms(self, kind: ValueKind, piece: Tensor, *, owners: Sequence[int], sizes: Sequence[int]) -> None:
        """Histograms of one kind of values, [65, tensors]."""
        self.add(HISTOGRAM + kind, piece, owners=owners, sizes=sizes)
