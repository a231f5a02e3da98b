"""Gradients that fade on their way to the first layers, which therefore do not learn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import EPS, depth_profile, fading, loss_trend, recent, since, typical
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

DEPTH = 4  # fewer layers have no depth to fade over
FALLS = 0.7  # rank correlation of gradient and depth
CAUSES = (
    "saturating activations (sigmoid, tanh) multiplied over many layers",
    "weights drawn too small for the activation",
    "depth without residual connections or normalisation",
)
ADVICE = (
    "Replace sigmoid or tanh in hidden layers by ReLU or GELU.",
    "Draw weights for the activation: torch.nn.init.kaiming_normal_(layer.weight) for ReLU, xavier_uniform_ for tanh.",
    "Put a BatchNorm or LayerNorm before each activation, or residual connections around blocks.",
)


def vanishing_gradients(
    window: Window, *, ratio: float = 1e-3, update_ratio: float = 1e-4, loss_fallen: float = 0.3, samples: int = 8
) -> Iterator[Symptom]:
    """First layers' gradient (root mean square per parameter) under ``ratio`` of the last layers', falling with depth,
    while their updates stay under ``update_ratio`` and the loss has fallen by less than ``loss_fallen``.

    Source: Glorot & Bengio, AISTATS 2010 (gradients over depth); the first-to-last ratio of 1e-3 and the gate by
    consequence follow AutoTrainer (Zhang et al., ICSE 2021).
    """
    gradients, updates = recent(window, "grad_norm", samples=samples), recent(window, "update_ratio", samples=samples)
    trend = loss_trend(window.loss)
    if gradients is None or updates is None or trend is None or trend.fallen > loss_fallen:
        return
    columns, rms = depth_profile(window, gradients)
    if len(columns) < DEPTH or np.corrcoef(np.argsort(np.argsort(rms)), np.arange(len(rms)))[0, 1] < FALLS:
        return
    third = max(1, len(columns) // 3)
    share = median(rms[:third]) / max(median(rms[-third:]), EPS)
    moves = median(np.nan_to_num(typical(updates[:, columns[:third]])))
    if share >= ratio or moves >= update_ratio:
        return
    begun = since(window, fading(window, columns, third) < ratio)
    ill = columns[rms < np.sqrt(ratio) * median(rms[-third:])]
    yield Symptom(
        rule="vanishing_gradients",
        severity="critical",
        summary=f"Gradients fade by a factor of {1 / max(share, EPS):.0e} from the last layers to the first, which "
        f"hardly move (update ratio {moves:.0e})",
        first_step=begun,
        last_step=window.step,
        layers=tuple(window.layers[column] for column in ill),
        evidence=Evidence(
            stat="grad_norm",
            layers=[window.layers[columns[0]], window.layers[columns[-1]]],
            value=share,
            is_drawn=False,
            threshold=ratio,
            comparison="<",
            first_step=int(window.steps[-samples]),
            last_step=window.step,
            numbers={
                "first ÷ last gradient": share,
                "update ratio of the first": moves,
                "loss": trend.course,
            },
        ),
        causes=CAUSES,
        advice=ADVICE,
    )
