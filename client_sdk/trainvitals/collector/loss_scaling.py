"""What a GradScaler does: its scale, and the steps that it skips."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.optim import Optimizer

from trainvitals.collector.sample import Sample
from trainvitals.collector.snapshots import Pending, pack

IN_A_ROW: Final = 16  # skipped: a search for a scale that begins at 65,536 is over by then
STUCK: Final = 64  # skipped in a row: from then on they count as steps


class LossScaling:
    """The state of a run's scalers; nothing is told of it where there is none. A step that is skipped leaves no
    snapshot and is not counted, so that a run that takes none any more would stand still and be silent: after many in
    a row its scale is told of by itself, and after more of them they are counted."""

    def __init__(self) -> None:
        self.scale: Tensor | None = None
        self.skipped = 0  # steps
        self._skipped_unseen: Tensor | None = None  # by optimizers that skip by themselves; on the device
        self._in_a_row: dict[int, int] = {}  # by optimizer

    def begin(self, scale: Tensor | None) -> None:
        """A step is about to be taken, or skipped."""
        self.scale = scale

    def end(self, optimizer: Optimizer, *, was_skipped: bool, found_inf: Tensor | None) -> None:
        """It has been; ``found_inf`` is not 0 where the optimizer skipped by itself, and is not waited for."""
        self.skipped += was_skipped
        if found_inf is not None:
            skipped = found_inf.detach().ne(0).float()
            before = self._skipped_unseen
            self._skipped_unseen = skipped if before is None else before + skipped.to(before.device)
        self._in_a_row[id(optimizer)] = self._in_a_row.get(id(optimizer), 0) + 1 if was_skipped else 0

    def is_stuck(self, optimizer: Optimizer) -> bool:
        """Whether it has not stepped for so long that its attempts are to count."""
        return self._in_a_row.get(id(optimizer), 0) >= STUCK

    def metrics(self) -> dict[str, float | Tensor]:
        """The scale, and how many steps have been skipped in all; empty without a scaler."""
        if self.scale is None:
            return {}
        unseen = self._skipped_unseen
        return {"loss_scale": self.scale, "skipped_steps": self.skipped if unseen is None else self.skipped + unseen}

    def alone(self, optimizer: Optimizer, step: int) -> Pending | None:
        """A snapshot of the scale and nothing else, at every so many that were skipped in a row."""
        in_a_row = self._in_a_row.get(id(optimizer), 0)
        if self.scale is None or not in_a_row or in_a_row % IN_A_ROW:
            return None
        sample = Sample(step, in_depth=False)
        sample.add("skipped", torch.ones(1, 1), owners=[0], sizes=[1])
        return pack(sample, layers=[], ships_layers=False, metrics={"loss_scale": self.scale})
