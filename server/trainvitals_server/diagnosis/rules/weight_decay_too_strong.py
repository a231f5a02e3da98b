"""Weights that decay faster than they are learnt."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median, medians
from trainvitals_server.diagnosis.reading import loss_trend, since, weighted
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def weight_decay_too_strong(
    window: Window, *, left: float = 0.5, layers_alike: float = 0.7, loss_fallen: float = 0.3, least_steps: int = 20
) -> Iterator[Symptom]:
    """In ``layers_alike`` of the layers the weights' norm has shrunk to ``left`` of what it was at first, and does not
    grow again, the optimizer decays weights, and the loss (as it is now) is less than ``loss_fallen`` under its
    start, which biases alone
    may learn. Weights that shrink while the loss falls are what decay is for.

    Source: Krogh & Hertz, NIPS 1991; CS231n notes (regularisation too strong keeps the loss at that of chance).
    """
    norms, trend, columns = window.stats.get("weight_norm"), loss_trend(window.loss), weighted(window)
    groups = [group.settings for optimizer in window.optimizers for group in optimizer.groups]
    decay = max((float(group.get("weight_decay") or 0.0) for group in groups), default=0.0)
    if norms is None or trend is None or not len(columns) or decay <= 0 or window.step < least_steps:
        return
    if trend.fallen > loss_fallen or len(norms) < 3:
        return
    sizes = norms[:, columns].astype(np.float64)
    share = np.nan_to_num(sizes / np.maximum(sizes[0], 1e-30), nan=1.0)
    ill = (share[-1] < left) & (share[-1] <= share[-3] + 0.01)
    if ill.mean() < layers_alike:
        return
    layers = tuple(window.layers[column] for column in columns[ill])
    middle = median(share[-1][ill])
    begun = since(window, medians(share[:, ill], axis=1) < left)
    yield Symptom(
        rule="weight_decay_too_strong",
        severity="warning",
        summary=f"With a weight decay of {decay:.2g} the weights have shrunk to {middle:.0%}, and the loss stands at "
        f"{trend.now:.4g}; it began at {trend.start:.4g}",
        first_step=begun,
        last_step=window.step,
        layers=layers,
        evidence=Evidence(
            stat="weight_norm",
            layers=list(layers[:5]),
            value=middle,
            is_drawn=False,
            threshold=left,
            comparison="<",
            first_step=begun,
            last_step=window.step,
            numbers={"weight decay": decay, "weights left": f"{middle:.0%}", "loss": trend.course},
        ),
        causes=("a weight decay too strong", "a decay meant for AdamW given to SGD or Adam, or the other way round"),
        advice=(
            f"Try a hundredth: weight_decay={decay / 100:.1g}. Usual are 5e-4 with SGD, 0.01 to 0.1 with AdamW.",
            "Leave biases, norms and embeddings undecayed, by parameter groups.",
        ),
    )
