"""Whether how the network is built, or its first weights, are a cause."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from trainvitals_server.diagnosis.arguing.said import Said
from trainvitals_server.diagnosis.facts import matrices
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import weighted
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import LOSS_SCALE, Window

DEEP: Final = 8  # layers with weights that nothing normalises
OFTEN: Final = 0.25  # of the layers with weights: as many norms leave no stretch without
# times 1 ∕ √inputs, as far as first weights spread: PyTorch's own 0.58, He's 1.41 (2015), Glorot's 1 (2010)
LARGE, SMALL = 2.0, 0.3
SIGMOIDS: Final = ("Sigmoid", "Hardsigmoid")
TANHS: Final = ("Tanh", "Hardtanh", "Softsign")
SEVERAL: Final = 3  # fewer do not make a gradient vanish
DRAWN: Final = ("Linear", "Conv")  # kinds whose first weights are matrices with inputs to a unit
NORMS: Final = ("BatchNorm", "LayerNorm", "GroupNorm", "RMSNorm", "InstanceNorm", "LocalResponseNorm")


def nothing_normalises(window: Window, _: Symptom) -> Said | None:
    """How many layers normalise, beside how many with weights."""
    norms = sum(any(norm in layer.kind for norm in NORMS) for layer in window.info.values())
    if not (depth := len(weighted(window))):
        return None
    told = f"{norms or 'no'} layer{'s normalise' if norms > 1 else ' normalises'} beside {depth} with weights"
    if norms >= OFTEN * depth:
        return Said("unlikely", told)
    return Said("likely" if not norms and depth >= DEEP else "possible", told)


def saturating(window: Window, _: Symptom) -> Said | None:
    """How many layers are sigmoids or tanh: a sigmoid's slope is a quarter at most, that of tanh 1 at most."""
    kinds = [layer.kind for layer in window.info.values()]
    sigmoids, tanhs = (sum(kind in known for kind in kinds) for known in (SIGMOIDS, TANHS))
    if sigmoids >= SEVERAL:
        return Said("likely", f"{sigmoids} sigmoid layers, each of which passes a quarter of a gradient at most")
    if tanhs >= SEVERAL:
        return Said("possible", f"{tanhs} tanh layers, which pass little where they saturate")
    return None


def dead_from_the_start(_: Window, symptom: Symptom) -> Said:
    """The rule names this cause only where it is so."""
    return Said("likely", f"they gave nothing but zeros at step {symptom.first_step}, before any update")


def drawn_too_large(window: Window, symptom: Symptom) -> Said | None:
    """The widest first weights of the layers that are concerned."""
    if not (gains := _gains(window, symptom)):
        return None
    name, gain = max(gains.items(), key=lambda one: one[1])
    if gain > LARGE:
        where = f"layer {name} began" if name else "the model began"
        return Said("likely", f"{where} with weights spread by {gain:.2g} ∕ √inputs (PyTorch's own: 0.58)")
    return Said("unlikely", f"no layer began with weights spread by more than {gain:.2g} ∕ √inputs")


def drawn_too_small(window: Window, symptom: Symptom) -> Said | None:
    """The same of half of the layers, the other way round: one that begins near zero is meant to."""
    if not (gains := _gains(window, symptom)):
        return None
    gain = median(np.array([*gains.values()]))
    usual = "Glorot's initialisation: 1" if saturating(window, symptom) else "He's initialisation: 1.41"
    told = f"half of the layers began with weights spread by {gain:.2g} ∕ √inputs or less ({usual})"
    return Said("likely" if gain < SMALL else "unlikely" if gain > 1 else "possible", told)


def overflows(window: Window, _: Symptom) -> Said | None:
    """Whether anything is kept in float16, or its loss scaled for it."""
    if any(layer.dtype == "float16" for layer in window.info.values()):
        return Said("possible", "weights are kept in float16, which ends at 65,504")
    if LOSS_SCALE in window.metrics:
        return Said("possible", "the loss is scaled for float16, which ends at 65,504")
    return None


def _gains(window: Window, symptom: Symptom) -> dict[str, float]:
    """Of the layers that are concerned, else of all, the first weights' standard deviation times √inputs."""
    gains = {
        layer.name: layer.initial.std * math.sqrt(max(0, layer.initial.fan_in))
        for layer in matrices(window)
        if layer.initial is not None and layer.kind.startswith(DRAWN)
    }
    known = {name: gain for name, gain in gains.items() if math.isfinite(gain)}
    return {name: gain for name, gain in known.items() if name in symptom.layers} or known
