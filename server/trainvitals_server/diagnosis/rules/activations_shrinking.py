"""Outputs that fade with depth: the last layers see next to nothing of the input."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.reading import EPS, loss_trend, recent, steepest_fall, typical, weighted
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

STRETCH = 3  # from one layer to the next
ADVICE = (
    "Draw weights for the activation: torch.nn.init.kaiming_normal_(layer.weight) for ReLU, xavier_uniform_ for tanh.",
    "Put a LayerNorm or BatchNorm between layers, or residual connections around blocks.",
)


def activations_shrinking(
    window: Window, *, ratio: float = 1e-3, loss_fallen: float = 0.3, samples: int = 5
) -> Iterator[Symptom]:
    """Over a stretch of layers (the very last left out) outputs have a smaller standard deviation than those of the
    layer before, and the last of them under ``ratio`` of the first, in the median of the newest ``samples``
    snapshots. A warning while less than ``loss_fallen`` of the loss is gone, else worth knowing.

    Source: He et al., ICCV 2015 (variance over depth); TheDeepChecker (Ben Braiek & Khomh, TOSEM 2022).
    """
    spreads, trend, columns = (
        recent(window, "activation_std", samples=samples),
        loss_trend(window.loss),
        weighted(window),
    )
    if spreads is None or trend is None:
        return
    columns = columns[:-1]
    every = typical(spreads[:, columns])
    columns, sizes = columns[np.isfinite(every)], np.maximum(every[np.isfinite(every)], EPS**2)
    start, end, share = steepest_fall(sizes)
    if share >= ratio or end - start < STRETCH:
        return
    layers = tuple(window.layers[column] for column in columns[start : end + 1])
    first = int(window.steps[-samples])
    yield Symptom(
        rule="activations_shrinking",
        severity="warning" if trend.fallen < loss_fallen else "info",
        summary=f"Outputs fade by a factor of {1 / max(share, EPS):.0e} from {layers[0]} to {layers[-1]}",
        first_step=first,
        last_step=window.step,
        layers=layers,
        evidence=Evidence(
            stat="activation_std",
            layers=[layers[0], layers[-1]],
            value=share,
            threshold=ratio,
            comparison="<",
            first_step=first,
            last_step=window.step,
            numbers={"from": float(sizes[start]), "to": float(sizes[end])},
        ),
        causes=("weights drawn too small for the activation", "depth without normalisation or residual connections"),
        advice=ADVICE,
    )
