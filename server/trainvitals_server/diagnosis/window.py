"""The read-only view of a run that a rule is given: recent snapshots whole, the past thinned, float32 as recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainvitals.wire.definitions import Definitions
from trainvitals.wire.messages import LayerInfo, OptimizerInfo

Floats32 = NDArray[np.float32]
Steps = NDArray[np.int64]

LEARNING_RATE: Final = "lr"
LOSS_SCALE: Final = "loss_scale"
SKIPPED_STEPS: Final = "skipped_steps"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Series:
    """Points of one metric: ``steps`` int64 [n] ascending, ``values`` float32 [n]. Equal to itself alone, so that what
    is read from it can be kept while it lives."""

    steps: Steps
    values: Floats32


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSeries:
    """One metric as each of several ranks recorded it: ``values`` float32 [ranks, n] at the ``steps`` of rank 0 (int64
    [n], ascending), NaN where a rank recorded nothing; ``present``, bool [ranks, n], tells that from a NaN. ``ranks``
    names the rows, 0 first."""

    ranks: tuple[int, ...]
    steps: Steps
    values: Floats32
    present: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Window:
    """A run as a rule sees it. Equal to itself alone, like Series.

    ``stats``: stat → float32 [n, layers], all at the same ``steps`` (int64 [n], ascending); a value that was not
    recorded is NaN, and where the layer recorded something non-finite, ``nonfinite`` tells: stat → bool [n, layers].
    ``layers`` names the columns; ``info`` describes them where the model was declared. The newest 48 snapshots are
    whole, older ones thinned evenly to at most 32. ``metrics``: the losses, the learning rate, what a GradScaler does,
    and of others those that were logged first, 32 in all; each with its newest 512 points, and 512 of the past. Where
    several ranks recorded a loss it is their mean, and ``ranks`` has what each said of the metrics that tell ranks
    apart. ``loss_name`` and ``validation_loss_name`` are what these were logged as, by the script's ``definitions``
    and by usual names; "loss" and "val_loss" where none was.
    """

    run_id: str
    step: int
    layers: tuple[str, ...] = ()
    steps: Steps = field(default_factory=lambda: np.empty(0, np.int64))
    stats: Mapping[str, Floats32] = field(default_factory=dict)
    nonfinite: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    metrics: Mapping[str, Series] = field(default_factory=dict)
    ranks: Mapping[str, RankSeries] = field(default_factory=dict)
    info: Mapping[str, LayerInfo] = field(default_factory=dict)
    optimizers: tuple[OptimizerInfo, ...] = ()
    planned_steps: int | None = None
    definitions: Definitions = field(default_factory=Definitions)
    loss_name: str = field(init=False)
    validation_loss_name: str = field(init=False)

    def __post_init__(self) -> None:  # once: most rules ask
        of = self.definitions.metric
        object.__setattr__(self, "loss_name", of("loss", self.metrics) or "loss")
        object.__setattr__(self, "validation_loss_name", of("validation_loss", self.metrics) or "val_loss")

    @property
    def loss(self) -> Series | None:
        """The training loss."""
        return self.metrics.get(self.loss_name)

    @property
    def validation_loss(self) -> Series | None:
        """The loss of a validation."""
        return self.metrics.get(self.validation_loss_name)

    @property
    def loss_of_ranks(self) -> RankSeries | None:
        """The training loss as each rank has it; None where fewer than two recorded it."""
        return self.ranks.get(self.loss_name)
