"""Attention whose logits grow until it can no longer change its mind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.attention import is_costly
from trainvitals_server.diagnosis.facts import ill_since
from trainvitals_server.diagnosis.reading import in_depth, typical
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window


def attention_logits_growing(
    window: Window, *, logit: float = 50.0, growth: float = 1.5, samples: int = 2
) -> Iterator[Symptom]:
    """In a layer that attends the largest logit is above ``logit`` and ``growth`` times what it was at first, and no
    lower than in the looks before; medians of ``samples`` looks. A warning while the loss is worse than it was or does
    not fall, else worth knowing.

    Source: Dehghani et al., "Scaling Vision Transformers to 22 Billion Parameters", arXiv:2302.05442; Wortsman et al.,
    "Small-scale proxies for large-scale Transformer training instabilities", arXiv:2309.14322.
    """
    found = in_depth(window, "attention_logit_max", samples=2 * samples)
    if found is None:
        return
    steps, values = found
    first, before, now = (
        typical(values[part]) for part in (slice(samples), slice(-2 * samples, -samples), slice(-samples, None))
    )
    ill = np.flatnonzero((now > logit) & (now > growth * np.abs(first)) & (now >= before))  # false for NaN
    if not len(ill):
        return
    worst = int(ill[np.argmax(now[ill])])
    layers = tuple(window.layers[column] for column in ill)
    begun = ill_since(Series(steps=steps, values=values[:, worst]), values[:, worst] > logit)
    yield Symptom(
        rule="attention_logits_growing",
        severity="warning" if is_costly(window) else "info",
        summary=f"The largest attention logit of {window.layers[worst]} has grown from {first[worst]:.3g} to "
        f"{now[worst]:.3g}, and beyond {logit:.0f} attention looks at single keys and learns no more",
        first_step=begun,
        last_step=window.step,
        layers=layers,
        evidence=Evidence(
            stat="attention_logit_max",
            layers=list(layers[:5]),
            value=float(now[worst]),
            threshold=logit,
            first_step=begun,
            last_step=window.step,
            numbers={"at first": float(first[worst]), "now": float(now[worst]), "layers": len(layers)},
        ),
        causes=("a learning rate too high for attention", "queries and keys that nothing normalises"),
        advice=(
            "Normalise queries and keys (QK-norm: LayerNorm or RMSNorm on both before their product).",
            "Lower the learning rate, or warm it up for longer; weight decay on their projections helps a little.",
        ),
    )
