"""Layers that are frozen with the weights that they were drawn with: nobody has ever trained them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from trainvitals.wire.messages import Evidence, InitialWeights, LayerInfo
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

FEWEST = 100  # weights, whose largest says where a distribution ends
ENDS = (0.95, 1.0001)  # largest weight × √inputs
EVEN = (0.54, 0.61)  # standard deviation by the largest weight: 1 ∕ √3 where all are drawn evenly


def frozen_untrained(window: Window, *, samples: int = 10) -> Iterator[Symptom]:
    """Frozen layers, at rest in the newest ``samples`` snapshots, whose first weights are spread as PyTorch draws them,
    evenly up to 1 ∕ √inputs, which no training leaves, beside others that train. Those that began as a copy of a layer
    that trains are none, as target networks do.

    Source: ``torch.nn.Linear.reset_parameters``; the spread is that of He et al., "Delving Deep into Rectifiers", 2015.
    """
    norms = window.stats.get("weight_norm")
    if norms is None or len(norms) < samples:
        return
    at_rest = (norms[-samples:] == norms[-1]).all(axis=0)
    resting = {name for name, is_one in zip(window.layers, at_rest, strict=True) if is_one}
    known = [(layer, layer.initial) for layer in window.info.values() if layer.initial is not None]
    trained = {(initial.std, initial.largest) for layer, initial in known if layer.trainable}
    names = [
        layer.name
        for layer, initial in known
        if not layer.trainable
        and layer.name in resting
        and _is_as_drawn(layer, initial)
        and (initial.std, initial.largest) not in trained
    ]
    if not names or not trained:
        return
    yield Symptom(
        rule="frozen_untrained",
        severity="info",
        summary=f"{len(names)} of {len(known)} layers are frozen with weights as PyTorch draws them: nobody has "
        "trained them",
        first_step=int(window.steps[0]),
        last_step=window.step,
        layers=tuple(names),
        evidence=Evidence(
            stat="weight_norm", layers=names[:5], is_drawn=False, last_step=window.step,
            numbers={"frozen layers": len(names), "layers with weights": len(known)},
        ),
        causes=(
            "a checkpoint that was not loaded, or whose names did not fit: strict=False does not say so",
            "layers frozen by mistake, as by model.requires_grad_(False) with a fresh head in the model",
        ),
        advice=(
            "Look at what load_state_dict(…, strict=False) answers: its missing_keys should be empty.",
            "If they are to learn: layer.requires_grad_(True), and give their parameters to the optimizer.",
            'If random features are meant, mute this: tv.init(mute=["frozen_untrained"]).',
        ),
    )  # fmt: skip


def _is_as_drawn(layer: LayerInfo, initial: InitialWeights) -> bool:
    if layer.parameters < FEWEST or "Embedding" in layer.kind or initial.largest == 0:
        return False
    reaches = initial.largest * math.sqrt(initial.fan_in)
    return ENDS[0] <= reaches <= ENDS[1] and EVEN[0] <= initial.std / initial.largest <= EVEN[1]
