"""Whether what the optimizer was made with is a cause."""

from __future__ import annotations

from typing import Final

from trainvitals_server.diagnosis.arguing.said import Said, groups
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

STRONG_MOMENTUM, SOME_MOMENTUM = 0.95, 0.5  # 0.9 is that of nearly all (Sutskever et al., 2013)
DEFAULT_BETA, FORGETS = 0.999, 0.98  # β₂ of PyTorch, and under which most language models lie (0.95)
# decoupled (0.01 to 0.1 are usual: Loshchilov & Hutter, 2019), and as part of the gradient (5e-4: He et al., 2015)
DECOUPLED: Final = frozenset({"AdamW", "AdamW8bit", "PagedAdamW", "PagedAdamW8bit", "Lion"})
STRONG_DECAY, FAINT_DECAY = {True: 0.3, False: 0.01}, {True: 1e-3, False: 1e-5}


def momentum_too_high(window: Window, symptom: Symptom) -> Said | None:
    """What momentum SGD has; others mean something else by the word."""
    found = [group.number("momentum") for group in groups(window, symptom) if group.kind == "SGD"]
    known = [momentum for momentum in found if momentum is not None]
    if not known:
        return None
    momentum = max(known)
    if momentum > STRONG_MOMENTUM:
        return Said("likely", f"momentum is {momentum:g}, and 0.9 is usual")
    return Said("possible" if momentum >= SOME_MOMENTUM else "unlikely", f"momentum is {momentum:g}")


def forgets_too_slowly(window: Window, symptom: Symptom) -> Said | None:
    """What β₂ the optimizer has."""
    every = [group.settings.get("betas") for group in groups(window, symptom)]
    known = [betas[1] for betas in every if isinstance(betas, (list, tuple)) and len(betas) == 2]
    numbers = [float(beta) for beta in known if isinstance(beta, (int, float)) and 0 <= beta < 1]
    if not numbers:
        return None
    beta = max(numbers)
    default = ", the default" if beta == DEFAULT_BETA else ""
    told = f"β₂ is {beta:g}{default}: it remembers some {1 / (1 - beta):,.0f} steps"
    return Said("likely" if beta >= DEFAULT_BETA else "possible" if beta > FORGETS else "unlikely", told)


def decay_too_strong(window: Window, symptom: Symptom) -> Said | None:
    """The strongest weight decay of the groups, as their optimizer means it."""
    found = [(group.number("weight_decay"), group.kind in DECOUPLED) for group in groups(window, symptom)]
    known = [(decay, decoupled) for decay, decoupled in found if decay is not None]
    if not known:
        return None
    decay, decoupled = max(known, key=lambda one: one[0] / STRONG_DECAY[one[1]])
    told = f"weight_decay is {decay:g}"
    if decay > STRONG_DECAY[decoupled]:
        return Said("likely", told)
    return Said("unlikely" if decay < FAINT_DECAY[decoupled] else "possible", told)


def regularised_too_little(window: Window, symptom: Symptom) -> Said | None:
    """Whether there is dropout, or weight decay."""
    drops = [layer.settings.get("p", 0.5) for layer in window.info.values() if "Dropout" in layer.kind]
    decays = [group.number("weight_decay") for group in groups(window, symptom)]
    if not window.info or None in decays or not decays:
        return None
    decay = max(decay for decay in decays if decay is not None)
    if not any(drops) and decay == 0:
        return Said("likely", "no dropout layer and no weight decay")
    dropped = f"dropout up to {max(drops):g}" if any(drops) else "no dropout layer"
    return Said("possible", f"{dropped}, weight_decay {decay:g}")
