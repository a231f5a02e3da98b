"""Gradients that fade on their way to the first layers, which therefore do not learn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.reading import EPS, loss_trend, recent, typical, weighted
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

DEPTH = 4  # fewer layers have no depth to fade over


def vanishing_gradients(
    window: Window, *, ratio: float = 1e-3, update_ratio: float = 1e-4, loss_fallen: float = 0.3, samples: int = 8
) -> Iterator[Symptom]:
    """First layers' gradient (root mean square per parameter) under ``ratio`` of the last layers', falling with depth,
    while their updates stay under ``update_ratio`` and the loss has fallen by less than ``loss_fallen``.

    Source: Glorot & Bengio, AISTATS 2010 (gradients over depth); the first-to-last ratio of 1e-3 and the gate by
    consequence follow AutoTrainer (Zhang et al., ICSE 2021).
    """
    gradients, updates = recent(window, "grad_norm", samples=samples), recent(window, "update_ratio", samples=samples)
    trend, columns = loss_trend(window.loss), weighted(window)
    if gradients is None or updates is None or trend is None or trend.fallen > loss_fallen:
        return
    sizes = np.sqrt([max(1, window.info[window.layers[column]].trainable) for column in columns])
    rms = typical(gradients[:, columns]) / sizes if len(columns) else np.empty(0)
    alive = np.isfinite(rms) & (rms > 0)
    columns, rms = columns[alive], rms[alive]
    if len(columns) < DEPTH:
        return
    third = max(1, len(columns) // 3)
    front, back = float(np.median(rms[:third])), float(np.median(rms[-third:]))
    order = np.argsort(np.argsort(rms))
    falls_with_depth = float(np.corrcoef(order, np.arange(len(rms)))[0, 1])
    moves = typical(updates[:, columns[:third]])
    moves = moves[np.isfinite(moves)]
    if front >= ratio * back or falls_with_depth < 0.7 or not len(moves) or np.median(moves) >= update_ratio:
        return
    ill = columns[rms < np.sqrt(ratio) * back]
    layers = tuple(window.layers[column] for column in ill)
    yield Symptom(
        rule="vanishing_gradients",
        severity="critical",
        summary=f"Gradients fade by a factor of {back / max(front, EPS):.0e} from the last layers to the first, which "
        f"hardly move (update ratio {np.median(moves):.0e})",
        first_step=int(window.steps[0]),
        last_step=window.step,
        layers=layers,
        evidence=Evidence(
            stat="grad_norm",
            layers=[window.layers[columns[0]], window.layers[columns[-1]]],
            value=front / max(back, EPS),
            threshold=ratio,
            comparison="<",
            first_step=int(window.steps[-samples]),
            last_step=window.step,
            numbers={
                "first ÷ last gradient": front / max(back, EPS),
                "update ratio of the first": float(np.median(moves)),
                "loss fallen": f"{trend.fallen:.0%}",
            },
        ),
        causes=(
            "saturating activations (sigmoid, tanh) multiplied over many layers",
            "weights drawn too small for the activation",
            "depth without residual connections or normalisation",
        ),
        advice=(
            "Replace sigmoid or tanh in hidden layers by ReLU or GELU.",
            "Draw weights for the activation: torch.nn.init.kaiming_normal_(layer.weight) for ReLU, "
            "xavier_uniform_ for tanh.",
            "Put a BatchNorm or LayerNorm before each activation, or residual connections around blocks.",
        ),
    )
