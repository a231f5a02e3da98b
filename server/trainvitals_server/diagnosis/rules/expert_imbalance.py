"""A mixture of experts in which few do all the work."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.experts import mixtures
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def expert_imbalance(
    window: Window, *, samples: int = 8, after_steps: int = 100, faint: float = 0.01, working: float = 0.5
) -> Iterator[Symptom]:
    """In each of the newest ``samples`` snapshots in which gradients of experts (modules in a list of that name) were
    finite, some had none, or one under ``faint`` of their largest. A warning if fewer than ``working`` of them are
    left; else worth knowing, as a small batch may pass one by.

    Source: Shazeer et al., "Outrageously Large Neural Networks", arXiv:1701.06538, section 4 (experts that are favoured
    learn faster, and are favoured more); Fedus et al., "Switch Transformers", arXiv:2101.03961, section 2.2.
    """
    norms = window.stats.get("grad_norm")
    if norms is None or window.step < after_steps:
        return
    for name, experts in mixtures(window).items():
        sound = _sound(window, [column for columns in experts.values() for column in columns])[-samples:]
        if len(sound) < samples:
            continue
        each = np.stack([_norm(norms[sound][:, columns]) for columns in experts.values()], axis=1)  # [samples, experts]
        idle = (each <= faint * each.max(axis=1, keepdims=True)).all(axis=0)
        busy, begun = int((~idle).sum()), int(window.steps[sound[0]])
        if busy in (0, len(idle)):  # no gradient reached any, or one reached all
            continue
        names = [number for number, is_idle in zip(experts, idle, strict=True) if is_idle]
        layers = tuple(window.layers[column] for number in names for column in experts[number])
        yield Symptom(
            rule="expert_imbalance",
            severity="warning" if busy < working * len(idle) else "info",
            summary=f"{busy} of {len(idle)} experts of {name} do all the work: hardly any gradient reaches the others",
            first_step=begun,
            last_step=window.step,
            layers=layers,
            key=name,
            evidence=Evidence(
                stat="grad_norm", layers=list(layers[:5]), value=busy / len(idle), threshold=working, comparison="<",
                is_drawn=False, first_step=begun, last_step=window.step,
                numbers={"experts": len(idle), "that work": busy, "idle": ", ".join(names[:8])},
            ),
            causes=(
                "a router that nothing keeps from favouring a few: experts that learn faster are chosen more",
                "a router that began with large weights, or learns too fast",
            ),
            advice=(
                "Add a loss that balances the load (Switch Transformers: 0.01 · experts · Σ fraction · probability).",
                "Add noise to the router's logits in training, begin its weights near zero, and halve its rate.",
                "Count the tokens that each expert gets.",
            ),
        )  # fmt: skip


def _sound(window: Window, columns: list[int]) -> NDArray[np.intp]:
    """Snapshots in which no gradient of these layers was infinite, or NaN for another reason than that none came."""
    ill = np.isinf(window.stats["grad_norm"][:, columns]).any(axis=1)
    if "gradient" in window.nonfinite:
        ill |= window.nonfinite["gradient"][:, columns].any(axis=1)
    return np.flatnonzero(~ill)


def _norm(gradients: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of [samples, layers] over the layers; a gradient that did not come is none."""
    return np.asarray(np.sqrt(np.square(np.nan_to_num(gradients.astype(np.float64))).sum(axis=1)))
