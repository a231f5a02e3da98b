"""Whether the first batch is a cause."""

from __future__ import annotations

import math
from typing import Final

from trainvitals_server.diagnosis.arguing.said import Said
from trainvitals_server.diagnosis.facts import ADAPTS, fact
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

LARGE, SOUND = 10.0, 3.0  # root mean squares: of inputs_not_normalised, and under which nobody need look
FAR, NEAR = 3.0, 1.0  # means, in standard deviations
RAW: Final = "inputs_not_normalised"  # whose verdict it is, whatever the size


def not_normalised(window: Window, symptom: Symptom) -> Said | None:
    """The size of the first batch's numbers. Small ones do no such harm, and are passed over."""
    if (found := _batch(window)) is None:
        return None
    mean, std = found
    size, told = math.hypot(mean, std), _told(mean, std)
    if size > LARGE or symptom.rule == RAW:
        return Said("likely", told)
    return Said("unlikely", told) if size <= SOUND else Said("possible", told)


def far_from_zero(window: Window, _: Symptom) -> Said | None:
    """The first batch's mean against its spread."""
    if (found := _batch(window)) is None or not found[1] > 0:
        return None
    mean, std = found
    away = abs(mean) / std
    return Said("likely" if away > FAR else "unlikely" if away <= NEAR else "possible", _told(mean, std))


def _told(mean: float, std: float) -> str:
    return f"the first batch has mean {mean:.3g} and standard deviation {std:.3g}"


def _batch(window: Window) -> tuple[float, float] | None:
    """Mean and standard deviation of the first batch; None where the first layer is at ease with any scale."""
    means, stds = fact(window, "input_mean"), fact(window, "input_std")
    carrying = [layer for layer in window.info.values() if layer.parameters]
    if means is None or stds is None or not len(means.values) or not len(stds.values):
        return None
    if not carrying or any(kind in carrying[0].kind for kind in ADAPTS):
        return None
    mean, std = float(means.values[0]), float(stds.values[0])
    return (mean, std) if math.isfinite(mean) and math.isfinite(std) else None
