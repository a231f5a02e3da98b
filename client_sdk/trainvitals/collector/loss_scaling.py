"""What a GradScaler does: its scale, and the steps that it skips."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.sample import Sample
from trainvitals.collector.snapshots import Pending, pack

IN_A_ROW: Final = 16  # skipped: a search for a scale that begins at 65,536 is over by then


class LossScaling:
    """The state of a run's scalers; nothing is told of it where there is none. A step that is skipped leaves no
    snapshot, so that a run whose every step is skipped would be silent: its scale is then told of by itself."""

    def __init__(self) -> None:
        self.scale: Tensor | None = None
        self.skipped = 0  # steps
        self._in_a_row = 0
        self._told: int | None = None  # the step

    def begin(self, scale: Tensor | None) -> None:
        """A step is about to be taken, or skipped."""
        self.scale = scale

    def end(self, *, was_skipped: bool) -> None:
        """It has been."""
        self.skipped += was_skipped
        self._in_a_row = self._in_a_row + 1 if was_skipped else 0

    def metrics(self) -> dict[str, float | Tensor]:
        """The scale, and how many steps have been skipped in all; empty without a scaler."""
        return {} if self.scale is None else {"loss_scale": self.scale, "skipped_steps": self.skipped}

    def alone(self, step: int) -> Pending | None:
        """A snapshot of the scale and nothing else, once for each step that many have been skipped in place of."""
        if self.scale is None or self._in_a_row < IN_A_ROW or step == self._told:
            return None
        self._told = step
        sample = Sample(step, in_depth=False)
        sample.add("skipped", torch.ones(1, 1), owners=[0], sizes=[1])
        return pack(sample, layers=[], ships_layers=False, metrics={"loss_scale": self.scale})
