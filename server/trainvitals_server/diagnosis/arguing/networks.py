"""Whether how the network is built, its first weights or its inputs are a cause."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from trainvitals_server.diagnosis.arguing.said import Said
from trainvitals_server.diagnosis.facts import fact, matrices, middle
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import weighted
from trainvitals_server.diagnosis.window import Window

DEEP: Final = 8  # layers with weights that nothing normalises
LARGE, SMALL = 2.0, 0.3  # times 1 ∕ √inputs: PyTorch's own lie at 0.58, He's at 1.41, Glorot's at 1
INPUTS: Final = (0.1, 10.0)  # between which the root mean square of normalised inputs lies
UNEVEN: Final = 30.0  # times that spreads of columns differ


def nothing_normalises(window: Window) -> Said | None:
    """How many layers normalise, of how many with weights."""
    norms, depth = sum("Norm" in layer.kind for layer in window.info.values()), len(weighted(window))
    if not depth:
        return None
    if norms:
        return Said("unlikely", f"{norms} layers normalise")
    return Said("likely" if depth >= DEEP else "possible", f"none of {depth} layers with weights is normalised")


def drawn_too_large(window: Window) -> Said | None:
    """The spread of the first weights of the layer with the largest, against one over the root of its inputs."""
    if not (gains := _gains(window)):
        return None
    name, gain = max(gains.items(), key=lambda one: one[1])
    if gain > LARGE:
        return Said(
            "likely", f"the first weights of {name} were spread by {gain:.2g} ∕ √inputs (PyTorch's own by 0.58)"
        )
    return Said("unlikely", f"no layer's first weights were spread by more than {gain:.2g} ∕ √inputs")


def drawn_too_small(window: Window) -> Said | None:
    """The same of half of the layers, the other way round: one that begins near zero is meant to."""
    if not (gains := _gains(window)):
        return None
    gain = median(np.array([*gains.values()]))
    told = f"half of the layers' first weights were spread by {gain:.2g} ∕ √inputs or less (He's initialisation: 1.41)"
    return Said("likely" if gain < SMALL else "unlikely" if gain > 1 else "possible", told)


def inputs_off(window: Window) -> Said | None:
    """Mean and spread of the first batch."""
    means, stds = fact(window, "input_mean"), fact(window, "input_std")
    if means is None or stds is None or not len(means.values) or not len(stds.values):
        return None
    mean, std, ratio = float(means.values[0]), float(stds.values[0]), middle(window, "input_column_ratio")
    told = f"the first batch has mean {mean:.3g} and standard deviation {std:.3g}"
    if not INPUTS[0] <= math.hypot(mean, std) <= INPUTS[1]:
        return Said("likely", told)
    if ratio is not None and ratio > UNEVEN:
        return Said("likely", f"spreads of its columns differ {ratio:,.0f} times")
    return Said("unlikely", told)


def _gains(window: Window) -> dict[str, float]:
    """Of each layer its first weights' standard deviation times √inputs."""
    gains = {one.name: one.initial.std * math.sqrt(one.initial.fan_in) for one in matrices(window) if one.initial}
    return {name: gain for name, gain in gains.items() if math.isfinite(gain)}
