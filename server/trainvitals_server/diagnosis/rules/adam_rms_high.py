"""Gradients that run away from what Adam knows of their size, and the jump of the loss that comes of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import MAD_TO_SIGMA, in_depth
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window

PAST, SIGMAS, OUTLIERS = 64, 8.0, 2.5  # of a jump of the loss, as loss_spike has them
LASTING = 2  # points


def adam_rms_high(window: Window, *, rms: float = 2.3, within: int = 10, samples: int = 5) -> Iterator[Symptom]:
    """The root mean square of gradient ∕ √second moment is above ``rms`` in a layer: a warning where it was so in one
    of the newest ``samples`` looks and the loss, which was as ever then, jumps ``within`` the steps after it, for more
    than a point; else, in the newest look, worth knowing.

    Source: Wortsman et al., "Stable and low-precision training for large-scale vision-language models",
    arXiv:2304.13013 (spikes of the loss come 1 to 8 steps after RMS_t passes 2.3).
    """
    found = in_depth(window, "adam_rms", samples=1)
    if found is None:
        return
    steps, values = found[0][-samples:], found[1][-samples:]
    high = np.nan_to_num(values) > rms
    jumps = [row for row in np.flatnonzero(high.any(axis=1)) if _jumps(window.loss, int(steps[row]), within)]
    if not jumps and not high[-1].any():
        return
    row = int(jumps[0]) if jumps else len(steps) - 1
    worst = int(np.nanargmax(values[row]))
    layers = tuple(window.layers[column] for column in np.flatnonzero(high[row]))
    yield Symptom(
        rule="adam_rms_high",
        severity="warning" if jumps else "info",
        summary=f"At step {int(steps[row]):,} gradients of {window.layers[worst]} were {values[row, worst]:.1f} times "
        f"what Adam expects{', and the loss jumps after it' if jumps else ''}",
        first_step=int(steps[row]),
        last_step=window.step,
        layers=layers,
        evidence=Evidence(
            stat="adam_rms",
            layers=[window.layers[worst]],
            value=float(values[row, worst]),
            threshold=rms,
            first_step=int(steps[row]),
            last_step=window.step,
            numbers={"usual": 1.0, "layers above the line": len(layers)},
        ),
        causes=("second moments that forget too slowly (β₂)", "data that have changed", "a loss that weighs more now"),
        advice=(
            "Lower β₂: betas=(0.9, 0.95), or 0.99 where batches are small.",
            "Clip updates, not gradients alone: an optimizer with update clipping (StableAdamW, Adafactor).",
            "Warm the learning rate up anew where the data or the loss change.",
        ),
    )


def _jumps(loss: Series | None, step: int, within: int) -> bool:
    """Whether the loss, no worse than ever at a step, is far above what it was in several of the steps behind it."""
    if loss is None:
        return False
    finite = np.isfinite(loss.values)
    steps, values = loss.steps[finite], loss.values[finite].astype(np.float64)
    past, after = values[steps <= step][-PAST:], values[(steps > step) & (steps <= step + within)]
    if len(past) < PAST:
        return False
    middle = median(past[:-1])
    spread = MAD_TO_SIGMA * median(np.abs(past[:-1] - middle))
    line = middle + max(SIGMAS * spread, OUTLIERS * float(past[:-1].max() - middle))
    return bool(past[-1] <= line and (after > line).sum() >= LASTING)
