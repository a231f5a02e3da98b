"""A sudden jump of the loss that goes back, or does not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.reading import MAD_TO_SIGMA
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

LONGEST = 10  # points above the line in a row; more is a new level


def loss_spike(
    window: Window, *, past: int = 64, sigmas: float = 8.0, share_of_start: float = 0.1, recent: int = 128
) -> Iterator[Symptom]:
    """A point among the newest ``recent`` that lies ``sigmas`` robust deviations and ``share_of_start`` of the starting
    loss above the median of the ``past`` points before it, with at most ten such points in a row.

    The newest point is never part of its own past. Source: Wortsman et al., 2023 ("stable and low-precision training")
    for spikes as deviations from a running mean; median and MAD in place of mean and deviation.
    """
    loss = window.loss
    if loss is None:
        return
    finite = np.isfinite(loss.values)
    steps, values = loss.steps[finite], loss.values[finite].astype(np.float64)
    if len(values) < past + 1:
        return
    begin = max(past, len(values) - recent)
    least = share_of_start * abs(float(np.median(values[: max(3, len(values) // 50)])))
    pasts = np.lib.stride_tricks.sliding_window_view(values, past)[begin - past : len(values) - past]
    middle = np.median(pasts, axis=1)
    spread = MAD_TO_SIGMA * np.median(np.abs(pasts - middle[:, None]), axis=1)
    line = middle + np.maximum(sigmas * spread, least)
    above = values[begin:] > line
    if not above.any():
        return
    top = int(np.argmax(np.where(above, values[begin:] - middle, -np.inf)))
    first = top - int(np.argmin(above[top::-1])) + 1 if not above[: top + 1].all() else 0
    after = above[top:]
    length = (len(after) if after.all() else int(np.argmin(after))) + top - first
    if length > LONGEST:
        return
    recovered = not above[-1]
    peak = float(values[begin + top])
    yield Symptom(
        rule="loss_spike",
        severity="info" if recovered else "warning",
        summary=f"The loss jumped from {middle[first]:.4g} to {peak:.4g}"
        + (f" and came back after {length} points" if recovered else " and has not come back yet"),
        first_step=int(steps[begin + first]),
        last_step=int(steps[min(begin + first + length, len(steps) - 1)]),
        evidence=Evidence(
            metric="loss",
            value=peak,
            threshold=float(line[top]),
            comparison=">",
            first_step=int(steps[begin + first]),
            last_step=int(steps[min(begin + first + length, len(steps) - 1)]),
            numbers={"before": float(middle[first]), "peak": peak, "usual noise": float(spread[first])},
        ),
        causes=(
            "a batch with broken or unusual data",
            "an update too large just before",
            "second moments too slow (β₂)",
        ),
        advice=(
            "Look at the batches of the steps named here.",
            "Clip gradients; with Adam try betas=(0.9, 0.95).",
        ),
    )
