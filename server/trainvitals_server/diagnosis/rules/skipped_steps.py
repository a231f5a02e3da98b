"""Steps that a GradScaler skips, far more of them than its search for a scale takes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import LOSS_SCALE, SKIPPED_STEPS, Window


def skipped_steps(window: Window, *, share: float = 0.2, attempts: int = 30) -> Iterator[Symptom]:
    """Of the newest ``attempts`` at a step, taken or skipped, more than ``share`` were skipped, and of their newer
    half, too. What is skipped before the first step that is taken is the scaler's search, and does not count.

    Source: Micikevicius et al., "Mixed Precision Training", arXiv:1710.03740 (overflows skip the step); by GradScaler's
    defaults, which halve the scale then and double it after 2,000 good steps, that is one step in 2,000.
    """
    told = window.metrics.get(SKIPPED_STEPS)
    if told is None or not len(told.values):
        return
    again = np.flatnonzero(np.diff(told.values) < 0)  # a run that is taken up again counts from nought
    begin = int(again[-1]) + 1 if len(again) else 0
    steps, skipped = told.steps[begin:], told.values[begin:].astype(np.float64)
    tried = steps + skipped
    first, middle = np.searchsorted(tried, tried[-1] - np.array([attempts, attempts / 2]), side="right") - 1
    if first < 0:
        return
    part, newer = (float((skipped[-1] - skipped[at]) / (tried[-1] - tried[at])) for at in (first, middle))
    if min(part, newer) <= share:
        return
    scale = window.metrics.get(LOSS_SCALE)
    yield Symptom(
        rule="skipped_steps",
        severity="warning",
        summary=f"{part:.0%} of the newest {tried[-1] - tried[first]:.0f} steps were skipped, as their gradients were "
        "not finite",
        first_step=int(steps[first]),
        last_step=window.step,
        evidence=Evidence(
            metric=SKIPPED_STEPS,
            value=part,
            is_drawn=False,
            threshold=share,
            first_step=int(steps[first]),
            last_step=window.step,
            numbers={
                "steps skipped in all": float(skipped[-1]),
                "loss scale": float(scale.values[-1]) if scale is not None and len(scale.values) else "not known",
            },
        ),
        causes=(
            "if the scale falls: examples whose gradient is NaN or infinite at any scale (sqrt, log, division at zero)",
            "if the scale goes up and down: a growth_interval so short that it is always too large",
        ),
        advice=(
            "Take the gradients of a skipped step apart: torch.autograd.set_detect_anomaly(True) names the operation.",
            "Add an epsilon inside sqrt, log and division; leave GradScaler's growth_interval at 2,000.",
            "Use bfloat16, which needs no scaler.",
        ),
    )
