"""Attention that has collapsed onto single keys, in most layers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.attention import is_costly
from trainvitals_server.diagnosis.facts import ill_since
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import in_depth, typical
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window

CAUSES = (
    "logits of attention that have grown by a learning rate too high",
    "queries and keys that nothing normalises, whose logits have grown",
    "where it was so from the start: weights of queries and keys drawn too large, or a missing 1 ∕ √d",
)


def attention_entropy_collapse(
    window: Window, *, entropy: float = 0.1, most: float = 0.5, samples: int = 2
) -> Iterator[Symptom]:
    """In more than ``most`` of the layers that attend the mean entropy over queries and heads is under ``entropy``, as
    a share of the logarithm of the keys that a query may look at, in the median of the newest ``samples`` looks. A
    warning while the loss is worse than it was or does not fall, else worth knowing.

    Source: Zhai et al., "Stabilizing Transformer Training by Preventing Attention Entropy Collapse", arXiv:2303.06296.
    """
    found = in_depth(window, "attention_entropy", samples=samples)
    if found is None:
        return
    steps, values = found
    now = typical(values[-samples:])
    attends = np.flatnonzero(np.isfinite(now))
    collapsed = attends[now[attends] < entropy]
    if len(collapsed) <= most * len(attends):
        return
    layers = tuple(window.layers[column] for column in collapsed)
    middle = median(now[collapsed])
    looks = np.array([median(row[np.isfinite(row)]) for row in values[:, collapsed]], np.float32)
    begun = ill_since(Series(steps=steps, values=looks), looks < entropy)
    yield Symptom(
        rule="attention_entropy_collapse",
        severity="warning" if is_costly(window) else "info",
        summary=f"{len(collapsed)} of {len(attends)} layers that attend look at single keys: their entropy is "
        f"{middle:.1%} of its maximum",
        first_step=begun,
        last_step=window.step,
        layers=layers,
        evidence=Evidence(
            stat="attention_entropy",
            layers=list(layers[:5]),
            value=middle,
            threshold=entropy,
            comparison="<",
            first_step=begun,
            last_step=window.step,
            numbers={"entropy": f"{middle:.1%}", "at first": f"{looks[0]:.1%}", "layers that attend": len(attends)},
        ),
        causes=CAUSES,
        advice=(
            "Normalise queries and keys, or reparametrise their weights (σReparam).",
            "Divide the logits by √d, as scaled_dot_product_attention does by itself.",
            "Lower the learning rate, warm it up for longer.",
        ),
    )
