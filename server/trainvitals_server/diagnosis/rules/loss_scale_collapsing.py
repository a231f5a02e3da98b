"""A GradScaler's scale that falls and falls."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import LOSS_SCALE, Window


def loss_scale_collapsing(
    window: Window, *, fallen: float = 2.0**10, least: float = 1.0, search: int = 20, samples: int = 4
) -> Iterator[Symptom]:
    """The scale is under ``least``, or has fallen to a part in ``fallen`` of its highest, and is lower than ``samples``
    points ago: it falls still. The first ``search`` steps, in which the scaler looks for its scale, do not count.

    Source: Micikevicius et al., "Mixed Precision Training", arXiv:1710.03740 (scales of 8 to 32,768 served all their
    networks); Zhang et al., "OPT", arXiv:2205.01068 (a scale on its way to zero goes with divergence).
    """
    told = window.metrics.get(LOSS_SCALE)
    if told is None:
        return
    counts = np.isfinite(told.values) & (told.steps >= search)
    steps, scales = told.steps[counts], told.values[counts].astype(np.float64)
    if len(scales) < samples:
        return
    highest, now = float(scales.max()), float(scales[-1])
    if now >= scales[-samples] or not (now < least or now * fallen <= highest):
        return
    begun = int(steps[np.flatnonzero(scales == highest)[-1]])
    yield Symptom(
        rule="loss_scale_collapsing",
        severity="warning",
        summary=f"The loss scale has fallen from {highest:,.6g} to {now:,.3g} and falls on: some gradients are not "
        "finite at any scale, or they grow without end",
        first_step=begun,
        last_step=window.step,
        evidence=Evidence(
            metric=LOSS_SCALE,
            value=now,
            threshold=max(least, highest / fallen),
            comparison="<",
            first_step=begun,
            last_step=window.step,
            numbers={"highest": highest, "now": now, "halved, net": float(np.log2(highest / max(now, 2.0**-149)))},
        ),
        causes=(
            "examples whose gradient is NaN or infinite at any scale: sqrt, log or division at zero, masks of all keys",
            "gradients that explode",
        ),
        advice=(
            "Find the operation: torch.autograd.set_detect_anomaly(True) on a batch whose step is skipped.",
            "Add an epsilon inside sqrt, log and division; leave out examples that are empty or masked whole.",
            "If the gradient norm grows, lower the learning rate; clip after scaler.unscale_(optimizer).",
        ),
    )
