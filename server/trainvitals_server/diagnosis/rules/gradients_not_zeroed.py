"""Gradients that add up from step to step because nothing clears them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import recent, weighted
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

FEWEST = 8


def gradients_not_zeroed(
    window: Window, *, samples: int = 10, off: float = 0.25, grown: float = 4.0, layers_alike: float = 0.9
) -> Iterator[Symptom]:
    """Over the run's first ``samples`` snapshots the gradient's norm grows as the number of steps does (a line through
    zero, ``off`` by less of its height), by ``grown`` times or more, in ``layers_alike`` of the layers: each step's
    gradient is the sum of all before it. Sums of accumulation done right are cleared, and do not grow.

    Source: "A Recipe for Training Neural Networks" (Karpathy, 2019) names it among the most common mistakes.
    """
    norms, columns = window.stats.get("grad_norm"), weighted(window)
    if norms is None or len(norms) < FEWEST or not len(columns) or recent(window, "grad_norm", samples=FEWEST) is None:
        return
    columns = columns[[window.info[window.layers[column]].in_optimizer for column in columns]]
    early = norms[:samples, columns].astype(np.float64)
    early = early[:, np.isfinite(early).all(axis=0) & (early > 0).all(axis=0)]
    count = (window.steps[:samples] - window.steps[0] + 1).astype(np.float64)[:, None]
    if early.shape[1] < 2 or count[-1, 0] - count[0, 0] != len(early) - 1:
        return  # the first steps are not all known
    slope = (early * count).sum(axis=0) / np.square(count).sum()
    apart = np.sqrt(np.square(early - slope * count).mean(axis=0)) / (slope * count.mean())
    alike = (apart < off) & (early[-1] > grown * early[0])
    if alike.mean() < layers_alike:
        return
    times = median(early[-1] / early[0])
    last = int(window.steps[min(samples, len(window.steps)) - 1])
    yield Symptom(
        rule="gradients_not_zeroed",
        severity="critical",
        summary=f"Over the first {last + 1} steps gradients grew {times:.1f} times, as a sum does to which each step "
        "adds: nothing clears them",
        first_step=int(window.steps[0]),
        last_step=window.step,
        evidence=Evidence(
            stat="grad_norm",
            layers=[window.layers[column] for column in columns[:5]],
            value=times,
            threshold=grown,
            first_step=int(window.steps[0]),
            last_step=last,
            numbers={"grown": times, "off a straight line": f"{median(apart):.0%}"},
        ),
        causes=("optimizer.zero_grad() is never called, or of another optimizer", "accumulation that never ends"),
        advice=(
            "Call optimizer.zero_grad() before each backward pass (after each step, where gradients are accumulated).",
        ),
    )
