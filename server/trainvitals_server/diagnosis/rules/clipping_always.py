"""Gradients that are clipped at every step, to a small part of what they were."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import loss_trend
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

SCALE_FREE = frozenset({"Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop", "Adagrad", "Adadelta", "Lion", "Muon"})


def clipping_always(
    window: Window, *, factor: float = 0.1, share: float = 0.9, loss_fallen: float = 0.1, samples: int = 12
) -> Iterator[Symptom]:
    """In the newest ``samples`` snapshots nearly all steps (``share``) were clipped, to less than ``factor`` of the
    gradient's norm. A warning if less than ``loss_fallen`` of the loss is gone and the optimizer's step depends on the
    size of gradients, as SGD's does; Adam's does not, and then it is worth knowing at most.

    Source: Tuning Playbook (Godbole et al., 2023): where more than half of the steps are clipped, the learning rate is
    what should be changed; clip at about the 90th percentile.
    """
    clipped, before = window.metrics.get("clipped_fraction"), window.metrics.get("grad_norm_before_clipping")
    after, trend = window.metrics.get("grad_norm"), loss_trend(window.loss)
    if clipped is None or before is None or after is None or trend is None or len(clipped.values) < samples:
        return
    steps = np.intersect1d(before.steps[-samples:], after.steps)
    if len(steps) < samples or float(np.mean(clipped.values[-samples:])) < share:
        return
    norm = before.values[np.searchsorted(before.steps, steps)].astype(np.float64)
    left = after.values[np.searchsorted(after.steps, steps)].astype(np.float64) / np.maximum(norm, 1e-30)
    if not (np.isfinite(left) & np.isfinite(norm)).all() or median(left) >= factor:
        return
    depends = any(optimizer.kind not in SCALE_FREE for optimizer in window.optimizers)
    yield Symptom(
        rule="clipping_always",
        severity="warning" if depends and trend.fallen < loss_fallen else "info",
        summary=f"Nearly every step is clipped, to {median(left):.1%} of the gradient"
        + (": the learning rate is that much lower than it seems" if depends else ""),
        first_step=int(steps[0]),
        last_step=window.step,
        evidence=Evidence(
            metric="grad_norm_before_clipping",
            value=median(norm),
            threshold=median(norm * left) / factor,
            first_step=int(steps[0]),
            last_step=window.step,
            numbers={"norm before": median(norm), "90th percentile": float(np.quantile(norm, 0.9))},
        ),
        causes=("max_norm far under the usual norm of the gradient", "a loss that is summed where a mean was meant"),
        advice=(
            f"Clip at about the 90th percentile of the norm: max_norm={float(np.quantile(norm, 0.9)):.2g}.",
            "Or leave max_norm, and choose the learning rate by it: a clipped step of SGD is lr × max_norm long.",
        ),
    )
