"""ReLU layers that give nothing but zeros."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import recent, since
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

RECTIFIERS = frozenset({"ReLU", "ReLU6", "Threshold"})


def dead_activations(window: Window, *, zeros: float = 0.995, samples: int = 5) -> Iterator[Symptom]:
    """A rectifier whose outputs are zero in more than ``zeros`` of all places in each of the newest ``samples``
    snapshots. 50 to 90 % of zeros are healthy, and only rectifiers are judged: dropout and pooling have zeros by
    design.

    Source: Lu et al., "Dying ReLU and Initialization", 2019; Glorot, Bordes & Bengio, AISTATS 2011 (healthy sparsity).
    """
    fractions = recent(window, "zero_fraction", samples=samples)
    if fractions is None:
        return
    judged = [
        column
        for column, name in enumerate(window.layers)
        if name in window.info and window.info[name].kind in RECTIFIERS
    ]
    dead = np.array(judged, np.intp)[(fractions[:, judged] > zeros).all(axis=0)]
    if not len(dead):
        return
    worst = median(fractions[:, dead])
    layers = tuple(window.layers[column] for column in dead)
    begun = since(window, (window.stats["zero_fraction"][:, dead] > zeros).all(axis=1))
    yield Symptom(
        rule="dead_activations",
        severity="critical" if 2 * len(dead) >= len(judged) or worst == 1.0 else "warning",
        summary=f"{len(dead)} of {len(judged)} rectifier layers give {worst:.1%} zeros: nothing passes, nothing learns "
        "behind them",
        first_step=begun,
        last_step=window.step,
        layers=layers,
        evidence=Evidence(
            stat="zero_fraction",
            layers=list(layers),
            value=worst,
            threshold=zeros,
            comparison=">",
            first_step=begun,
            last_step=window.step,
            numbers={"zeros": f"{worst:.1%}", "dead layers": len(dead), "rectifier layers": len(judged)},
        ),
        causes=(
            "an update so large that it pushed the biases far below zero",
            "a learning rate too high",
            "inputs far from zero mean",
        ),
        advice=(
            "Lower the learning rate (÷ 10) and start again: dead units do not come back by themselves.",
            "Use torch.nn.LeakyReLU(0.01) or GELU; put a normalisation before the activation.",
            "Initialise for ReLU: torch.nn.init.kaiming_normal_(layer.weight, nonlinearity='relu').",
        ),
    )
