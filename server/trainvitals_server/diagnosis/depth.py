"""Over which stretch of layers outputs change most with depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from trainvitals.wire.messages import Severity
from trainvitals_server.diagnosis.reading import EPS, loss_trend, recent, steepest_fall, typical, weighted
from trainvitals_server.diagnosis.window import Window

FEWEST_STEPS: Final = 3  # from one layer to the next: fewer are no stretch
ADVICE: Final = (
    "Draw weights for the activation: torch.nn.init.kaiming_normal_(layer.weight) for ReLU, xavier_uniform_ for tanh.",
    "Put a LayerNorm or BatchNorm between layers, or residual connections around blocks.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Neighbouring ``layers`` of which each spreads less than the one before, or each more: the standard deviation of
    the outputs of the first and the last of them, since ``first_step``. ``severity``: whether the loss suffers."""

    layers: tuple[str, ...]
    sizes: tuple[float, float]
    first_step: int
    severity: Severity

    @property
    def ratio(self) -> float:
        """Last ÷ first."""
        return self.sizes[1] / self.sizes[0]


def steepest_stretch(window: Window, *, grows: bool, loss_fallen: float, samples: int) -> Stretch | None:
    """The stretch of layers with weights, the very last left out, over which outputs fade most, or grow most; in the
    median of the newest ``samples`` snapshots. None where there is none, or too early to say."""
    spreads, trend = recent(window, "activation_std", samples=samples), loss_trend(window.loss)
    if spreads is None or trend is None:
        return None
    columns = weighted(window)[:-1]
    every = typical(spreads[:, columns])
    columns, sizes = columns[np.isfinite(every)], np.maximum(every[np.isfinite(every)], EPS**2)
    start, end, _ = steepest_fall(1 / sizes if grows else sizes)
    if end - start < FEWEST_STEPS:
        return None
    return Stretch(
        layers=tuple(window.layers[column] for column in columns[start : end + 1]),
        sizes=(float(sizes[start]), float(sizes[end])),
        first_step=int(window.steps[-samples]),
        severity="warning" if trend.fallen < loss_fallen else "info",
    )
