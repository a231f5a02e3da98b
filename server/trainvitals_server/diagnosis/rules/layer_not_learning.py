"""Layers whose weights never move although they should."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence, LayerInfo
from trainvitals_server.diagnosis.experts import passed_by
from trainvitals_server.diagnosis.reading import learning_rate, since
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

ZERO = "their gradient is zero"
RAN_OUT = "the learning rate has run out"
LEFT = 1e-3  # of the rate's peak: steps so much smaller may be rounded away
PASSED_BY = "what is watched of it did not come up"
WATCHED = 16_384  # values of a parameter at the most: steps may pass by those of a large table
REASONS = {
    "not in the optimizer": "Give the optimizer all parameters: torch.optim.Adam(model.parameters()).",
    "no gradient reaches them": "Look for .detach(), torch.no_grad() or .data behind them, and whether they are used.",
    ZERO: "Look for saturated or dead activations behind them, or a zero factor in the loss.",
    "the learning rate is zero": "Look at the schedule, and at the parameter group of these layers.",
    RAN_OUT: "Look at the schedule: it has ended, or counts epochs and is stepped once a batch.",
    "the update is lost": "Look for weights restored after the step, or for low precision that rounds it away.",
}
MEANT = "If this is meant, say so: parameter.requires_grad_(False)."


def layer_not_learning(window: Window, *, samples: int = 10) -> Iterator[Symptom]:
    """Layers with trainable parameters whose weight norm was bit-identical and whose update ratio was exactly zero or
    absent in the newest ``samples`` snapshots, by reason. Frozen layers are none, nor experts that a router passes by.

    Source: TrainCheck (Jiang et al., OSDI 2025), "updates not applied".
    """
    norms, updates = window.stats.get("weight_norm"), window.stats.get("update_ratio")
    if norms is None or updates is None or len(norms) < samples:
        return
    at_rest = (norms == norms[-1]) & (np.isnan(updates) | (updates == 0))
    found: dict[str, list[str]] = {}
    idle = np.flatnonzero(at_rest[-samples:].all(axis=0))
    experts = passed_by(window, set(idle.tolist()))
    for column in idle:
        layer = window.info.get(window.layers[column])
        if layer is not None and layer.trainable and column not in experts:
            found.setdefault(_reason(window, int(column), samples, layer), []).append(layer.name)
    found.pop(PASSED_BY, None)
    judged = sum(layer.trainable > 0 for layer in window.info.values())
    for reason, layers in found.items():
        begun = since(window, at_rest[:, [window.layers.index(name) for name in layers]].all(axis=1))
        moved = begun > int(window.steps[0])
        is_cause = not (reason == ZERO and moved)  # what killed the gradient is graver
        yield Symptom(
            rule="layer_not_learning",
            key=reason,
            severity="critical" if is_cause and 2 * len(layers) >= judged else "warning",
            summary=f"{len(layers)} of {judged} trainable layers "
            f"{f'stopped moving at step {begun:,}' if moved else 'have not moved at all'}: {reason}",
            first_step=begun, last_step=window.step, layers=tuple(layers),
            evidence=Evidence(
                stat="update_ratio", layers=layers[:5], value=0.0, comparison="=", first_step=begun,
                last_step=window.step, numbers={"snapshots without a change": int((window.steps >= begun).sum())},
            ),
            causes=(reason,), advice=(REASONS[reason],) + (() if moved else (MEANT,)),
        )  # fmt: skip


def _reason(window: Window, column: int, samples: int, layer: LayerInfo) -> str:
    if not layer.in_optimizer:
        return "not in the optimizer"
    gradients = window.stats.get("grad_norm")
    if gradients is None or np.isnan(gradients[-samples:, column]).all():
        return "no gradient reaches them"
    if (gradients[-samples:, column] == 0).all():
        return ZERO
    rate = learning_rate(window)
    if rate is not None and len(rate.values) and (newest := rate.values[-samples:].max()) <= LEFT * rate.values.max():
        return "the learning rate is zero" if newest == 0 else RAN_OUT
    return PASSED_BY if "Embedding" in layer.kind and layer.parameters > WATCHED else "the update is lost"
