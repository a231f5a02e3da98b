"""Weights that begin as zeros, too large or too small."""

from __future__ import annotations

import math
from collections.abc import Iterator

from trainvitals.wire.messages import Evidence, LayerInfo
from trainvitals_server.diagnosis.facts import begins_far_off, harm_of, is_stuck, matrices, middle, nothing_learnt
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def poor_initialisation(
    window: Window, *, large: float = 4.0, small: float = 0.1, share: float = 0.5, after_steps: int = 50
) -> Iterator[Symptom]:
    """In at least ``share`` of the layers with weight matrices these began as a constant, or their standard deviation
    lies above ``large`` or below ``small`` times 1 ∕ √(inputs of a unit), and it does harm: a first loss far above
    chance, or after ``after_steps`` steps nothing learnt, or a loss that does not fall.

    PyTorch's own lies at 0.58, that of Kaiming He at 1.41, of Glorot at 1. One layer alone is never told if there are
    more than two: heads, LoRA's B and the ends of residual branches begin with zeros on purpose. Source: He et al.,
    "Delving Deep into Rectifiers", 2015; Glorot & Bengio, 2010.
    """
    layers = matrices(window)
    gains = {layer.name: _gain(layer) for layer in layers}
    kind, names = _odd(gains, large=large, small=small)
    if not names or len(names) < share * len(layers):
        return
    far_off = begins_far_off(window)
    lost = nothing_learnt(window, after_steps=after_steps) or (
        middle(window, "loss") is None and is_stuck(window, after_steps=after_steps)
    )
    if not (far_off or lost):
        return
    worst = max(names, key=lambda name: abs(math.log(max(gains[name], 1e-9))))
    yield Symptom(
        rule="poor_initialisation",
        severity="warning",
        summary=f"The first weights of {len(names)} of {len(layers)} layers are {kind} ({gains[worst]:.2g} ∕ √inputs "
        f"in {worst}), and {harm_of(lost=lost, far_off=far_off)}",
        first_step=0,
        last_step=window.step,
        layers=tuple(names),
        evidence=Evidence(
            stat="weight_norm",
            layers=names[:5],
            value=gains[worst],
            is_drawn=False,
            threshold=large if kind == "too large" else small,
            comparison=">" if kind == "too large" else "<",
            last_step=window.step,
            numbers={"standard deviation × √inputs": gains[worst], "usual": "0.58 to 1.41"},
        ),
        causes=(
            "an initialisation of one's own, such as normal_(std=1) or zeros_",
            "weights scaled after they were drawn",
        ),
        advice=(
            "Leave PyTorch's own, or use torch.nn.init.kaiming_normal_(layer.weight, nonlinearity='relu').",
            "For tanh and sigmoid: torch.nn.init.xavier_uniform_(layer.weight).",
        ),
    )


def _odd(gains: dict[str, float], *, large: float, small: float) -> tuple[str, list[str]]:
    """What most of the layers that are out of the ordinary are, and which these are."""
    parts = {
        "too large": [name for name, gain in gains.items() if gain > large],
        "too small": [name for name, gain in gains.items() if 0 < gain < small],
        "constant": [name for name, gain in gains.items() if gain == 0],
    }
    return max(parts.items(), key=lambda part: len(part[1]))


def _gain(layer: LayerInfo) -> float:
    return 0.0 if layer.initial is None else layer.initial.std * math.sqrt(layer.initial.fan_in)
